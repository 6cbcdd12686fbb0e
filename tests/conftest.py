"""What every kind of test shares: finding Terraform, or saying why its tests are skipped."""

import os
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.paths import TERRAFORM
from tools.terraform import Terraform, copy_code


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
