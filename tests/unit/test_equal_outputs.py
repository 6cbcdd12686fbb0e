"""Renditions whose outputs are equal, such as widths above the source's, are encoded and proven once."""

from typing import Any

import pytest
from PIL import Image

from imaging import proof
from imaging import render as rendering
from imaging.decode import Picture
from imaging.encode import encode as encode_output
from imaging.encode import written_format
from imaging.formats import ENCODERS, inspect
from imaging.predict import predict
from imaging.render import render
from renditions import Rendition
from tests.images import encode, encode_oriented, picture
from tests.tiffs import encode_pages
from tests.unit.rendering import LIMITS

CLEAR = Image.new("RGBA", (40, 30), (200, 0, 0, 100))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count encoded and proven outputs."""
    counts = {"encoded": 0, "proven": 0}

    def count(name: str, function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        return counted

    monkeypatch.setattr(rendering, "encode", count("encoded", encode_output))
    monkeypatch.setattr(proof, "check", count("proven", proof.check))
    return counts


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_widths_above_the_sources_are_encoded_and_proven_once(
    made: dict[str, int], image_format: str, orientation: int
) -> None:
    source = encode_oriented(picture(300, 400), orientation, image_format)
    own = image_format.lower()
    renditions = [
        Rendition("a", width=300, format=own),
        Rendition("b", width=320, cache_control="no-store", key="b/{dir}{name}"),
        Rendition("c", width=1280, height=900, storage_class="STANDARD_IA"),
        Rendition("d", scale=1, format=own),
    ]
    outputs = render(source, renditions, limits=LIMITS).outputs
    assert made == {"encoded": 1, "proven": 1}
    assert [(one.width, one.height, one.body == outputs[0].body) for one in outputs] == 4 * [(300, 400, True)]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        (encode(picture()), {"quality": 60}),
        (encode(picture()), {"ssimulacra2": 50}),
        (encode(picture()), {"format": "png"}),
        (encode(picture()), {"width": 319}),
        (encode(picture()), {"height": 200, "fit": "cover"}),
        (encode(CLEAR, "PNG"), {"background": "#00ff00"}),
    ],
)
def test_an_output_with_other_bytes_is_encoded_itself(
    made: dict[str, int], source: bytes, options: dict[str, Any]
) -> None:
    usual: dict[str, Any] = {"width": 1000, "format": "jpeg"}
    renditions = [Rendition("usual", **usual), Rendition("other", **usual | options)]
    outputs = render(source, renditions, limits=LIMITS).outputs
    assert made == {"encoded": 2, "proven": 2}
    assert [one.body for one in outputs] == [render(source, [one], limits=LIMITS).outputs[0].body for one in renditions]
    assert outputs[0].body != outputs[1].body


def test_every_page_counts(made: dict[str, int]) -> None:
    source = encode_pages((picture(40, 30), {}), (picture(80, 60), {}))
    outputs = render(
        source, [Rendition(f"w{width}", width=width) for width in (50, 60, 90, 100)], limits=LIMITS
    ).outputs
    assert made["encoded"] == 3
    assert len({one.body for one in outputs}) == 3
    assert outputs[2].body == outputs[3].body


def test_each_output_has_its_own_losses(made: dict[str, int]) -> None:
    source = encode(picture(20000, 2), "PNG")
    renditions = [Rendition(name, width=width, format="webp") for name, width in (("a", 20000), ("b", 30000), ("c", 9))]
    rendered = render(source, renditions, limits=LIMITS)
    assert made["encoded"] == 2
    assert [[loss.why for loss in one.lost] for one in rendered.outputs] == [
        ["a was scaled down: WEBP holds 16383 pixels on a side"],
        ["b was scaled down: WEBP holds 16383 pixels on a side"],
        [],
    ]


def test_equal_outputs_need_no_more_memory_than_one() -> None:
    def predict_bytes(*renditions: Rendition) -> int:
        opened = Picture(inspect(encode(picture(601, 400), "PNG")))
        return predict(opened, renditions, [ENCODERS[written_format(opened, one)] for one in renditions]).peak_bytes

    one, other = Rendition("a", width=700), Rendition("b", width=900)
    whole, cropped = Rendition("c", width=300), Rendition("d", width=300, height=200, fit="cover")
    assert predict_bytes(one, other) == predict_bytes(one)
    assert predict_bytes(one, whole, cropped) == predict_bytes(one, whole) + 4 * 300 * 200
