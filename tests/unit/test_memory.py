"""Memory: the cap rejects an image that needs more than predicted, and an AVIF never needs more."""

import os
import resource
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageFile

from errors import RejectedError
from imaging import memory
from imaging.formats import ENCODERS
from imaging.limits import Limits
from imaging.records import Job
from imaging.render import render
from renditions import Rendition
from tests import tiffs
from tests.images import encode, lzma_bomb, picture
from tests.unit.conftest import ENVIRONMENT
from tools.benchmarks.peers import DEPLOYED
from tools.common.paths import FUNCTION

MEASURE = """
import sys
sys.path.insert(0, sys.argv[1])
from imaging import render as rendering
from imaging.render import render
from renditions import Rendition
from imaging.limits import Limits

def resident(name):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(name))

options = eval(sys.argv[2])
small = sys.stdin.buffer.read(int(sys.argv[3]))
source = sys.stdin.buffer.read()
half, asked = [Rendition("half", scale=0.5)], [Rendition(f"asked{number}", **one) for number, one in enumerate(options)]
limits = Limits(1 << 40)
# The first image of a format loads code that stays in memory, which RUNTIME_BYTES includes.
render(small, half, limits=limits)
predicted = []
predict = rendering.predict
rendering.predict = lambda *arguments: predicted.append(predict(*arguments)) or predicted[-1]
open("/proc/self/clear_refs", "w").write("5")
before = resident("VmRSS")
render(source, asked, limits=limits)
print(resident("VmHWM") - before, predicted[0].peak_bytes)
"""

CAPPED = """
import sys
sys.path.insert(0, sys.argv[1])
import lambda_function
from errors import RejectedError
from imaging.render import render
from renditions import Rendition
from imaging.limits import Limits

def ending(source, options):
    try:
        render(source, [Rendition("asked", **options)], limits=Limits(1 << 40))
    except RejectedError as rejection:
        return str(rejection)
    return "rendered"

options = eval(sys.argv[2])
sources = [sys.stdin.buffer.read(int(size)) for size in sys.argv[3:]]
print(ending(sources[0], options))
for source in sources[1:]:
    print(ending(source, {"scale": 0.5}))
print(next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""Renders sources in order, capped as in Lambda, with a prediction that always fits. Only the first has the options."""

WIDTH, HEIGHT = 1600, 1200
SMALL = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "150", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
"""What Lambda sets for a function with 150 MiB."""
HALF: dict[str, Any] = {"scale": 0.5}
WHOLE: dict[str, Any] = {"scale": 1}
TINY: dict[str, Any] = {"width": 16}
CONTAIN: dict[str, Any] = {"width": 5000, "height": 3000, "fit": "contain"}


def draw_photo() -> Image.Image:
    """Return a picture with noise, so that it compresses as a photo does."""
    noise = np.random.default_rng(0).integers(-6, 7, (HEIGHT, WIDTH, 3))
    pixels = np.clip(np.asarray(picture(WIDTH, HEIGHT), dtype=int) + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("is_animated", [False, True])
def test_an_avif_is_encoded_in_no_more_memory_than_predicted(is_animated: bool) -> None:
    """The cap can't protect the process: AVIF's encoder crashes if an allocation fails."""
    image = draw_photo()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    if is_animated:
        frames = [image.resize((400, 300)).rotate(9 * turn) for turn in range(12)]
        source = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=50)
        small = encode(picture(16, 16), "AVIF")
    else:
        source, small = encode(image, "TIFF"), encode(picture(16, 16), "TIFF")
    options = WHOLE | {"format": "avif"}
    command = [sys.executable, "-c", MEASURE, str(FUNCTION), repr([options]), str(len(small))]
    environment = os.environ | DEPLOYED
    measured = subprocess.run(command, input=small + source, capture_output=True, check=True, env=environment).stdout
    used, predicted = map(int, measured.split())
    assert 0 < used <= predicted


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        # Its decoder takes more than any other, and is freed before the output is encoded.
        ("WEBP", [HALF]),
        ("WEBP", [WHOLE]),
        # The second is made from a quarter of the source.
        ("JPEG", [WHOLE, {"scale": 0.26}]),
        ("JPEG", [CONTAIN]),
        ("PNG", [CONTAIN]),
        ("WEBP", [CONTAIN | {"format": "png"}]),
    ],
)
def test_an_image_is_rendered_in_no_more_memory_than_predicted(
    image_format: str, options: list[dict[str, Any]]
) -> None:
    # The heap may keep what a smaller image freed.
    image = draw_photo().resize((2 * WIDTH, 2 * HEIGHT))
    source, small = encode(image, image_format), encode(picture(16, 16), image_format)
    command = [sys.executable, "-c", MEASURE, str(FUNCTION), repr(options), str(len(small))]
    environment = os.environ | DEPLOYED
    measured = subprocess.run(command, input=small + source, capture_output=True, check=True, env=environment).stdout
    used, predicted = map(int, measured.split())
    assert 0 < used <= predicted


@pytest.mark.parametrize(
    ("size", "options"), [((600, 400), WHOLE), ((160, 120), {"width": 1500, "height": 1000, "fit": "contain"})]
)
@pytest.mark.parametrize("to", ["GIF", "WEBP", "PNG"])
def test_frames_take_no_more_memory_than_predicted(to: str, size: tuple[int, int], options: dict[str, Any]) -> None:
    frames = [picture(*size).rotate(9 * turn) for turn in range(20)]
    source = encode(frames[0], to, save_all=True, append_images=frames[1:], duration=50)
    command = [sys.executable, "-c", MEASURE, str(FUNCTION), repr([options]), str(len(source))]
    environment = os.environ | DEPLOYED
    measured = subprocess.run(command, input=2 * source, capture_output=True, check=True, env=environment).stdout
    used, predicted = map(int, measured.split())
    assert 0 < used <= predicted


@pytest.mark.parametrize("options", [HALF, WHOLE, {"width": 300}, WHOLE | {"format": "png"}, CONTAIN], ids=str)
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_a_channel_take_no_more_memory_than_predicted(channels: int, options: dict[str, Any]) -> None:
    kind = tiffs.Kind(16, tiffs.RGB, extra=(1,) if channels == 4 else ())
    noise = np.random.default_rng(0).integers(0, 1 << 16, (2 * HEIGHT, 2 * WIDTH, channels))
    source, small = tiffs.tiff(noise, kind), tiffs.tiff(noise[:16, :16], kind)
    command = [sys.executable, "-c", MEASURE, str(FUNCTION), repr([options]), str(len(small))]
    environment = os.environ | DEPLOYED
    measured = subprocess.run(command, input=small + source, capture_output=True, check=True, env=environment).stdout
    used, predicted = map(int, measured.split())
    assert 0 < used <= predicted


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_decoded_pixels_are_freed_before_an_output_is_encoded(
    monkeypatch: pytest.MonkeyPatch, image_format: str
) -> None:
    found: list[weakref.ref[ImageFile.ImageFile]] = []
    load, webp = ImageFile.ImageFile.load, ENCODERS["WEBP"]

    def record(self: ImageFile.ImageFile) -> Any:
        found.append(weakref.ref(self))
        return load(self)

    def check(job: Job) -> bytes:
        assert found
        assert [reference() for reference in found] == [None] * len(found)
        return webp.encode(job)

    monkeypatch.setattr(ImageFile.ImageFile, "load", record)
    monkeypatch.setitem(ENCODERS, "WEBP", replace(webp, encode=check))
    renditions = [Rendition("large", width=90, format="webp"), Rendition("small", width=32, format="webp")]
    assert render(encode(picture(), image_format), renditions, limits=Limits(1769 << 20)).outputs


def draw_square(image_format: str, side: int, **options: object) -> bytes:
    """Return a flat picture of few bytes and many pixels."""
    return encode(Image.new("RGB", (side, side), "teal"), image_format, **options)


def draw_animation(image_format: str) -> bytes:
    frames = [Image.new("RGB", (2000, 2000), colour) for colour in ("teal", "gold", "navy", "pink", "olive", "plum")]
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:] * 2, duration=50)


BEYOND: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "JPEG": (lambda: draw_square("JPEG", 4500), WHOLE),
    "JPEG, progressive": (lambda: draw_square("JPEG", 4500, progressive=True, subsampling=0), TINY),
    "PNG": (lambda: draw_square("PNG", 4500), HALF),
    "WebP": (lambda: draw_square("WEBP", 4500), HALF),
    "WebP, lossless": (lambda: draw_square("WEBP", 4500, lossless=True, method=0), HALF),
    "TIFF": (lambda: draw_square("TIFF", 4500, compression="tiff_lzw"), HALF),
    "TIFF, one strip": (lambda: draw_square("TIFF", 4500, compression="tiff_lzw", strip_size=1 << 30), HALF),
    "BMP": (lambda: encode(Image.new("RGB", (4500, 4500)), "BMP"), HALF),
    "GIF": (lambda: draw_square("GIF", 4500), HALF),
    "AVIF": (lambda: draw_square("AVIF", 4500, speed=10), HALF),
    "TIFF, dictionary": (lzma_bomb, HALF),
    "to WebP": (lambda: draw_square("PNG", 2500), WHOLE | {"format": "webp"}),
    "to AVIF": (lambda: draw_square("PNG", 2500), WHOLE | {"format": "avif"}),
    "animated GIF": (lambda: draw_animation("GIF"), WHOLE),
    "animated WebP": (lambda: draw_animation("WEBP"), WHOLE),
    "animated PNG": (lambda: draw_animation("PNG"), WHOLE),
    "one pixel wide": (lambda: encode(Image.new("L", (1, 6_000_000)), "PNG"), {"scale": 0.001}),
}
"""Images that take more than 150 MiB."""


@pytest.mark.parametrize("case", BEYOND)
def test_a_process_that_rejects_an_image_at_the_cap_renders_the_next(case: str) -> None:
    make, options = BEYOND[case]
    source = make()
    damaged, good = encode(draw_photo())[:9000], encode(picture())
    sizes = [str(len(one)) for one in (source, damaged, good)]
    command = [sys.executable, "-c", CAPPED, str(FUNCTION), repr(options), *sizes]
    environment = os.environ | ENVIRONMENT | DEPLOYED | SMALL
    ended = subprocess.run(
        command, input=source + damaged + good, capture_output=True, check=True, env=environment
    ).stdout.decode()
    first, second, third, resident = ended.splitlines()
    assert first in {f"too_large: {step} ran out of memory: raise memory_size" for step in ("decoding", "resizing")}
    # A failed allocation must not make the next damaged file too_large.
    assert second.startswith("corrupt: the image cannot be decoded: ")
    assert third == "rendered"
    assert int(resident) <= 150 << 20


def test_the_avif_encoder_is_not_called_without_enough_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Rendition("r", scale=1)
    source = encode(picture(16, 16), "AVIF")
    require = Mock(side_effect=MemoryError)
    monkeypatch.setattr(memory, "require", require)
    with pytest.raises(RejectedError, match=r"^too_large: resizing ran out of memory: raise memory_size$"):
        render(source, [whole], limits=Limits(1769 << 20))
    require.assert_called_once_with((8 << 20) + 30 * 16 * 16)
    monkeypatch.undo()
    assert render(source, [whole], limits=Limits(1769 << 20)).outputs
    with pytest.raises(MemoryError):
        memory.require(1 << 62)


def test_importing_the_handler_outside_of_lambda_sets_no_cap() -> None:
    script = "import resource, lambda_function; print(resource.getrlimit(resource.RLIMIT_DATA))"
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(FUNCTION)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, env=environment, text=True)
    assert done.stdout.strip() == str(resource.getrlimit(resource.RLIMIT_DATA))
