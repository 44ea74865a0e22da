"""gRPC's own client: does what it is asked to, a line of JSON each, and answers with a line."""

import json
import sys

import grpc
import vm_crash_pb2
import vm_guest_pb2
import vm_host_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from common_pb2 import EmptyMessage
from grpc_health import Health, health_pb2
from grpc_reflection import reflection_pb2

LIMIT = 80 << 20
OPTIONS = [("grpc.max_send_message_length", LIMIT), ("grpc.max_receive_message_length", LIMIT)]


def unary(channel, method, request, reply):
    return channel.unary_unary(method, request.SerializeToString, reply.FromString)


def call(channel, question):
    kind = question["ask"]
    if kind == "kernel":
        request, metadata = EmptyMessage(), (("x-question", question["text"]),)
        do = unary(channel, "/vm_tools.Maitred/GetKernelVersion", EmptyMessage, vm_guest_pb2.GetKernelVersionResponse)
        reply, under_way = do.with_call(request, metadata=metadata)
        trailers = dict(under_way.trailing_metadata())
        return {"release": reply.kernel_release, "version": reply.kernel_version, "trailer": trailers.get("x-answer")}
    if kind == "launch":
        request = vm_guest_pb2.LaunchProcessRequest(argv=question["argv"], env=question["env"])
        do = unary(channel, "/vm_tools.Maitred/LaunchProcess", type(request), vm_guest_pb2.LaunchProcessResponse)
        reply = do(request)
        return {"status": vm_guest_pb2.ProcessStatus.Name(reply.status), "code": reply.code}
    if kind == "deadline":
        do = unary(channel, "/vm_tools.Maitred/Shutdown", EmptyMessage, EmptyMessage)
        do(EmptyMessage(), timeout=question["seconds"])
        return {}
    if kind == "method":
        unary(channel, question["method"], EmptyMessage, EmptyMessage)(EmptyMessage())
        return {}
    if kind == "crash":
        request = vm_crash_pb2.CrashReport(minidump=bytes(question["size"]))
        do = unary(channel, "/vm_tools.cicerone.CrashListener/SendCrashReport", type(request), EmptyMessage)
        do(request, timeout=120)
        return {}
    if kind == "health":
        check = unary(channel, "/grpc.health.v1.Health/Check", health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse)
        reply = check(health_pb2.HealthCheckRequest(service=question["service"]))
        return {"status": health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)}
    if kind == "watch":
        return watch(channel, question["service"])
    if kind == "reflect":
        return reflect(channel, question["version"])
    raise ValueError(kind)


def watch(channel, service):
    """The first state, then what follows when the server is told to change it."""
    do = channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )
    states = do(health_pb2.HealthCheckRequest(service=service))
    seen = [Health(next(states))]
    say({"first": seen[0]})
    seen.append(Health(next(states)))
    states.cancel()
    return {"seen": seen}


def reflect(channel, version):
    """Knows nothing but reflection: finds the service, its messages, and calls it."""
    pb2 = reflection_pb2(version)
    info = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        pb2.ServerReflectionRequest.SerializeToString,
        pb2.ServerReflectionResponse.FromString,
    )
    questions = [
        pb2.ServerReflectionRequest(list_services=""),
        pb2.ServerReflectionRequest(file_containing_symbol="vm_tools.Maitred.SetTime"),
        pb2.ServerReflectionRequest(file_by_filename="none.proto"),
    ]
    services, files, nothing = info(iter(questions))
    pool = descriptor_pool.DescriptorPool()
    protos = [descriptor_pb2.FileDescriptorProto.FromString(each) for each in files.file_descriptor_response.file_descriptor_proto]
    for proto in reversed(protos):
        pool.Add(proto)
    method = pool.FindMethodByName("vm_tools.Maitred.GetKernelVersion")
    types = message_factory.MessageFactory(pool)
    request, reply = types.GetPrototype(method.input_type), types.GetPrototype(method.output_type)
    answer = unary(channel, "/vm_tools.Maitred/GetKernelVersion", request, reply)(request())
    return {
        "services": [service.name for service in services.list_services_response.service],
        "files": [proto.name for proto in protos],
        "release": answer.kernel_release,
        "nothing": nothing.error_response.error_code,
    }


def say(answer):
    print(json.dumps(answer), flush=True)


with grpc.insecure_channel(sys.argv[1], options=OPTIONS) as channel:
    for line in sys.stdin:
        try:
            say(call(channel, json.loads(line)))
        except grpc.RpcError as error:
            say({"error": error.code().name, "details": error.details()})
