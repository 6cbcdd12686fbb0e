"""Chromium, exiftool and ThumbHash for the tests of this folder; libvips needs no set-up."""

import pytest
from playwright.sync_api import Browser

from tests.conftest import skip_or_fail
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool
from tests.judges.thumbhash import ThumbHash
from tools.common.errors import ToolError


@pytest.fixture(scope="session")
def chromium(browser: Browser) -> Chromium:
    """A page that decodes images with Chromium's own decoders."""
    return Chromium(browser)


@pytest.fixture(scope="session")
def exiftool() -> Exiftool:
    try:
        return Exiftool()
    except ToolError as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="session")
def reference(browser: Browser) -> ThumbHash:
    """The reference implementation of ThumbHash."""
    try:
        return ThumbHash(browser)
    except ToolError as error:
        skip_or_fail(str(error))
