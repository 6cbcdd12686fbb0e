"""Chromium for the tests of this folder; libvips needs no set-up."""

import pytest
from playwright.sync_api import Browser

from tests.judges.chromium import Chromium


@pytest.fixture(scope="session")
def chromium(browser: Browser) -> Chromium:
    """A page that decodes images with Chromium's own decoders."""
    return Chromium(browser)
