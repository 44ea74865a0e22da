"""What protoc made of our health.proto, under a name that does not hide the package grpc."""

from generated import load

health_pb2 = load("grpc.health.v1.health_pb2")


def Health(response):
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
