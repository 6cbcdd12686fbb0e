"""Shared by all tests: options, and fixtures that find Terraform and Chromium or skip the test."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidationDecorator

from tests.models import check_request
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform, copy_code

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST_BYTES_IN_A_NAME = 32


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that are marked soak with their large counts")
    parser.addoption("--count", type=int, help="replaces the count of each test that is marked soak")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a file by its parameter: its bytes may contain the time, but a test needs one name on all workers."""
    return argname if isinstance(val, bytes) and len(val) > MOST_BYTES_IN_A_NAME else None


@pytest.fixture(autouse=True, scope="session")
def requests_fit_models() -> Iterator[None]:
    """Check the requests of all clients in this process, unless a client is told not to check parameters."""
    serialize = ParamValidationDecorator.serialize_to_request

    def checked(serializer: Any, parameters: dict[str, Any], operation: OperationModel) -> Any:
        serialized = serialize(serializer, parameters, operation)
        check_request(operation, parameters)
        return serialized

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ParamValidationDecorator, "serialize_to_request", checked)
        yield


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """Return how many images, uploads or histories a test that is marked soak takes."""
    options, numbers = request.config.option, request.node.get_closest_marker("soak").kwargs
    chosen: int = options.count or numbers["many" if options.soak else "few"]
    return chosen


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each file on one worker of pytest-xdist, and all tests that share a local AWS on one."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        # Unit tests have fixtures of these names, too, which last for one test.
        shared = (
            name for name in ("pipeline", "account") if name in fixtures and fixtures[name][-1].scope == "session"
        )
        group = next(shared, item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def module_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of ``terraform/`` with its provider at hand: a user's own ``.terraform/`` and state are left alone."""
    copy = tmp_path_factory.mktemp("module") / "terraform"
    copy_code(TERRAFORM, copy)
    try:
        Terraform(copy).init()
    except ToolError as error:
        skip_or_fail(str(error))
    return copy


def skip_or_fail(why: str) -> NoReturn:
    """Skip a test because of a missing program; in CI, where every program is required, fail."""
    if "CI" in os.environ:
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    with contextlib.ExitStack() as stack:
        try:
            # Not at the top: the other tests run without judges.txt.
            chromium = importlib.import_module("tests.judges.chromium")
            started = stack.enter_context(chromium.open_browser())
        except ToolError as error:
            skip_or_fail(str(error))
        yield started
