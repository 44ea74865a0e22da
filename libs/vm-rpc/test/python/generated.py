"""Modules of the package grpc that protoc made: the one that is installed would hide them."""

import importlib.util
import os


def load(name):
    path = os.path.join(os.environ["PYTHONPATH"], *name.split(".")) + ".py"
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
