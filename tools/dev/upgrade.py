"""Keeps the Terraform state of a release, for the tests to plan later versions of the module over it."""

import json
import re
from pathlib import Path

from tools.common.errors import ToolError
from tools.common.local_stack import Stack
from tools.common.paths import ROOT
from tools.local.stack import DEPLOYMENT

STATES = ROOT / "tests" / "terraform" / "states"

ENDPOINT = "https://sqs.eu-west-2.amazonaws.com"
"""What stands in the states for the local AWS, whose port is another every time."""


def record(version: str) -> Path:
    """Keep the state of the stack that ``invoke up`` left running as that of ``version``; returns the file.

    Raises:
        ToolError: Nothing is up, or the version is none.

    """
    if not re.fullmatch(r"[0-9]+[.][0-9]+[.][0-9]+", version):
        raise ToolError(f"{version!r} is no version: give one such as 1.0.0")
    endpoint = Stack.running().aws.endpoint
    text = (
        (DEPLOYMENT / "root" / "terraform.tfstate")
        .read_text()
        .replace(endpoint, ENDPOINT)
        .replace(str(DEPLOYMENT), "deployment")
    )
    path = STATES / f"{version}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(json.loads(text), indent=2) + "\n")
    return path
