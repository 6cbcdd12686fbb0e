"""No output loses anything without its name in ``lost``: each property of a source, in each format, by each policy."""

import functools
import itertools
from typing import Any

import pytest

from imaging.losses import Lost, summarize
from tests.conformance.sources import ALWAYS, SOURCES, Seen
from tests.images import encode, picture
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool
from tests.unit.rendering import render_one

FORMATS = (None, "jpeg", "png", "webp", "avif")


@pytest.mark.parametrize("name", SOURCES)
def test_an_output_keeps_a_property_or_names_it(name: str, exiftool: Exiftool, chromium: Chromium) -> None:
    source = SOURCES[name]
    body = source.make(exiftool)
    cells = {
        f"{to or 'own'} {policy}": (policy, render_one(body, to, metadata=policy, background="#000000").outputs[0])
        for to, policy in itertools.product(FORMATS, ALWAYS)
    }
    tags = exiftool.read({cell: output.body for cell, (_, output) in cells.items()})
    wrong: dict[str, Any] = {}
    for cell, (policy, output) in cells.items():
        lost = set(summarize(output.lost))
        is_owed = policy in source.policies
        is_kept = source.is_kept(Seen(output.body, output.content_type, functools.partial(dict, tags[cell]), chromium))
        expected = {source.what} if is_owed and not is_kept else set()
        if lost - source.also != expected:
            wrong[cell] = {"lost": sorted(lost), "kept": is_kept}
    assert not wrong


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP"])
def test_a_plain_image_loses_nothing(image_format: str) -> None:
    body = encode(picture(64, 48), image_format)
    for to, policy in itertools.product(FORMATS, ALWAYS):
        assert not render_one(body, to, metadata=policy).lost


def test_every_name_is_in_the_matrix() -> None:
    assert {source.what for source in SOURCES.values()} == set(Lost)
