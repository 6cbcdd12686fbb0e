"""Imports a handler as AWS's runtime client does, and prints what that took; run by the Python of the runtime."""

import json
import os
import resource
import sys

# What the client itself needs is no part of the handler's start.
import awslambdaric.bootstrap  # noqa: F401


def cpu() -> float:
    """CPU seconds of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
module, _, name = os.environ["_HANDLER"].rpartition(".")
known = set(sys.modules)
# Standard error is where Python reports its imports when it is asked to: the handler's follow this line.
print(sys.argv[1], file=sys.stderr)
before = cpu()
# The client uses importlib, which reports all imports but this one.
getattr(__import__(module), name)
took = cpu() - before
print(json.dumps({"cpu": took, "modules": sorted(set(sys.modules) - known)}))
