"""Chromium and exiftool for the tests of this folder; libvips needs no set-up."""

import shutil

import pytest
from playwright.sync_api import Browser

from tests.conftest import skip_or_fail
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool


@pytest.fixture(scope="session")
def chromium(browser: Browser) -> Chromium:
    """A page that decodes images with Chromium's own decoders."""
    return Chromium(browser)


@pytest.fixture(scope="session")
def exiftool() -> Exiftool:
    path = shutil.which("exiftool")
    if path is None:
        skip_or_fail("No exiftool on PATH: apt-get install libimage-exiftool-perl")
    return Exiftool(path)
