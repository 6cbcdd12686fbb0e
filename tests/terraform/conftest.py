"""One provider for all tests of plans with mocks, because a provider takes longer to start than a plan."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.common.terraform import REATTACH, start_provider


@pytest.fixture(scope="session")
def provider(module_copy: Path) -> Iterator[dict[str, str]]:
    """Run a provider, unless `invoke mutate` does; return the variable with which Terraform uses it."""
    if REATTACH in os.environ:
        yield {}
        return
    with start_provider(module_copy) as environment:
        yield environment
