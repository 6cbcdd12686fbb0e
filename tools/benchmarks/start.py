"""Import a handler as AWS's runtime client does, and print the CPU seconds; run by the Python of the runtime."""

import os
import resource
import sys

# The client's own imports are not part of the handler's start.
import awslambdaric.bootstrap  # noqa: F401


def cpu() -> float:
    """Return the CPU seconds of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
module, _, name = os.environ["_HANDLER"].rpartition(".")
# `-X importtime` writes to standard error: the handler's imports follow this line.
print(sys.argv[1], file=sys.stderr)
before = cpu()
# importlib, which the client uses, would hide the time of this import.
getattr(__import__(module), name)
print(cpu() - before)
