"""What every kind of test shares: an option, and finding Terraform, or saying why its tests are skipped."""

import os
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.paths import TERRAFORM
from tools.terraform import Terraform, copy_code


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--race-examples", type=int, default=400, help="how many histories the model of the race is put through"
    )


@pytest.fixture(scope="session")
def module_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``terraform/`` with its provider at hand: a user's own ``.terraform/`` and state are left alone."""
    copy = tmp_path_factory.mktemp("module") / "terraform"
    copy_code(TERRAFORM, copy)
    try:
        Terraform(copy).init()
    except ToolError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))
    return copy
