"""Saves the Terraform state of a release; tests plan later versions of the module over it."""

import json
from pathlib import Path

from tools.common.local_stack import Stack
from tools.common.paths import ROOT
from tools.dev.release import check_version
from tools.local.stack import DEPLOYMENT

STATES = ROOT / "tests" / "terraform" / "states"

ENDPOINT = "https://sqs.eu-west-2.amazonaws.com"
"""Replaces the local AWS's endpoint in the states, whose port changes."""


def save_state(version: str) -> Path:
    """Save the state of the stack that ``invoke up`` left running; returns the file.

    Raises:
        ToolError: The local AWS is not up, or the version is malformed.

    """
    check_version(version)
    endpoint = Stack.running().aws.endpoint
    state = (DEPLOYMENT / "root" / "terraform.tfstate").read_text()
    state = state.replace(endpoint, ENDPOINT).replace(str(DEPLOYMENT), "deployment")
    path = STATES / f"{version}.json"
    path.write_text(json.dumps(json.loads(state), indent=2) + "\n")
    return path
