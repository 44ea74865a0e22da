"""What protoc made of our reflection.proto, under a name that does not hide the package grpc."""

from generated import load


def reflection_pb2(version):
    return load(f"grpc.reflection.{version}.reflection_pb2")
