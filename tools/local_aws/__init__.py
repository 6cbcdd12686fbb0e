"""A local AWS that needs no account: moto's APIs, and AWS's own emulator and runtime client running the functions."""

from tools.local_aws.runtime import prepare
from tools.local_aws.service import LocalAws, local_aws, start, stop

__all__ = ["LocalAws", "local_aws", "prepare", "start", "stop"]
