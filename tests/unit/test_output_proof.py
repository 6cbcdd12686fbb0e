"""The proof of outputs: what an encoder spoils is never published, and an honest encoder is never accused."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import encode
from errors import Reason, RejectedError
from render import render
from renditions import Rendition
from settings import Limits
from tests.images import encoded, picture

LIMITS = Limits(1769 << 20)


def noise(*shape: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def failing(*_: object) -> bytes:
    raise RuntimeError("no space left in the code book")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda name: encoded(Image.new("RGB", (160, 120)), name), "differs from its image by"),
        (lambda name: encoded(noise(120, 160, 3), name), "differs from its image by"),
        (lambda name: encoded(picture(160, 119), name), r"has \(160, 119\) pixels in place of \(160, 120\)"),
        (lambda name: encoded(picture(160, 120), name)[:-1500], "does not decode"),
        (lambda name: encoded(picture(160, 120), "PNG" if name != "PNG" else "BMP"), "does not decode"),
        (lambda _: b"", "does not decode"),
        (failing, "cannot be encoded: no space left"),
    ],
)
def test_what_an_encoder_spoils_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str, spoilt: Callable[[str], bytes], message: str
) -> None:
    monkeypatch.setitem(encode.ENCODERS, image_format, lambda job: spoilt(job.format))
    with pytest.raises(RejectedError, match=message) as caught:
        render(encoded(picture(), image_format), [Rendition("half", scale=0.5)], limits=LIMITS)
    assert caught.value.reason is Reason.UNFAITHFUL


@pytest.mark.parametrize(("image_format", "left"), [("TIFF", 1), ("TIFF", 3), ("GIF", 3)])
def test_another_number_of_frames_is_a_rejection(monkeypatch: pytest.MonkeyPatch, image_format: str, left: int) -> None:
    frames = [picture().rotate(90 * turn) for turn in range(4)]

    def several(count: int, size: tuple[int, int]) -> bytes:
        images = [frame.resize(size) for frame in frames[:count]]
        return encoded(images[0], image_format, save_all=True, append_images=images[1:])

    source = several(2, (320, 240))
    monkeypatch.setitem(encode.ENCODERS, image_format, lambda _: several(left, (160, 120)))
    with pytest.raises(RejectedError, match=rf"the output has {left} frames in place of 2"):
        render(source, [Rendition("half", scale=0.5)], limits=LIMITS)


@pytest.mark.parametrize("image_format", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize(
    "image",
    [
        *(noise(1, 1, 3), noise(1, 90, 3), noise(90, 1, 3), noise(50, 50, 3), noise(50, 50, 4), noise(16, 300)),
        *(Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "lime", "magenta", "black", "white")),
        *(Image.new("RGBA", (64, 64), colour) for colour in ("#ff000000", "#00ff0080", "#0000ff02")),
    ],
)
@pytest.mark.parametrize("quality", [1, None, 100])
def test_an_honest_encoder_is_never_accused(image: Image.Image, image_format: str, quality: int | None) -> None:
    for background in ("#000000", "#ffffff", "#00ff00"):
        rendition = Rendition("half", scale=0.5, format=image_format, quality=quality, background=background)
        (output,) = render(encoded(image, "PNG"), [rendition], limits=LIMITS).outputs
        with Image.open(io.BytesIO(output.body)) as shown:
            assert shown.size == (output.width, output.height)
