"""gRPC's own server, at the address that it is given. Prints a line of JSON when it serves, and one for each call."""

import json
import sys
import threading
from concurrent import futures

import grpc
import vm_crash_pb2
import vm_guest_pb2
from common_pb2 import EmptyMessage
from grpc_health import health_pb2

LIMIT = 80 << 20
OPTIONS = [("grpc.max_send_message_length", LIMIT), ("grpc.max_receive_message_length", LIMIT)]
called = set()
ended = set()


def say(answer):
    print(json.dumps(answer), flush=True)


def get_kernel_version(_request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-answer", "yes"),))
    return vm_guest_pb2.GetKernelVersionResponse(kernel_release="6.1", kernel_version=metadata.get("x-question", ""))


def launch_process(request, _context):
    return vm_guest_pb2.LaunchProcessResponse(status=vm_guest_pb2.EXITED, code=-len(request.argv))


def mount(_request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not before the disk is there: ü")


def shutdown(_request, context):
    """Waits until nobody waits for it any more."""
    given_up = threading.Event()
    called.add(context)
    if context.add_callback(given_up.set):
        given_up.wait()
    ended.add(context)
    return EmptyMessage()


def get_resize_status(_request, _context):
    """Whether a call of the method above is under way."""
    return vm_guest_pb2.GetResizeStatusResponse(resize_in_progress=called != ended)


def send_crash_report(request, _context):
    say({"size": len(request.minidump), "metadata": dict(request.metadata)})
    return EmptyMessage()


def watch(_request, _context):
    for status in (health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING):
        yield health_pb2.HealthCheckResponse(status=status)


def unary(do, request):
    return grpc.unary_unary_rpc_method_handler(do, request.FromString, lambda reply: reply.SerializeToString())


def silence(_request, context):
    """Says nothing for so long."""
    threading.Event().wait(float(dict(context.invocation_metadata())["x-seconds"]))
    return EmptyMessage()


maitred = {
    "GetKernelVersion": unary(get_kernel_version, EmptyMessage),
    "LaunchProcess": unary(launch_process, vm_guest_pb2.LaunchProcessRequest),
    "Mount": unary(mount, vm_guest_pb2.MountRequest),
    "Shutdown": unary(shutdown, EmptyMessage),
    "GetResizeStatus": unary(get_resize_status, EmptyMessage),
    "PrepareToSuspend": unary(silence, EmptyMessage),
}
crash = {"SendCrashReport": unary(send_crash_report, vm_crash_pb2.CrashReport)}
health = {
    "Watch": grpc.unary_stream_rpc_method_handler(
        watch, health_pb2.HealthCheckRequest.FromString, lambda reply: reply.SerializeToString()
    )
}

server = grpc.server(futures.ThreadPoolExecutor(4), options=OPTIONS)
for name, methods in (("vm_tools.Maitred", maitred), ("vm_tools.cicerone.CrashListener", crash), ("grpc.health.v1.Health", health)):
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
server.add_insecure_port(sys.argv[1])
server.start()
say({"serves": sys.argv[1]})
sys.stdin.read()
server.stop(None)
