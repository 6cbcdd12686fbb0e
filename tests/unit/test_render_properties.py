"""Properties: any input gives an output of the right size or a rejection, never another exception."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from errors import RejectedError
from imaging.limits import Limits
from imaging.render import render
from renditions import MetadataPolicy, Rendition
from tests.images import encode, load, picture
from tests.unit.test_own_errors import SOURCES

LIMITS = Limits(512 << 20)
ORIENTATION = 0x0112

MODES = {
    "JPEG": ["L", "RGB", "CMYK"],
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
    "WEBP": ["RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"],
    "BMP": ["1", "L", "P", "RGB"],
    "AVIF": ["L", "RGB", "RGBA"],
}

sides = st.integers(1, 70)
sources = st.sampled_from([(image_format, mode) for image_format, modes in MODES.items() for mode in modes])

renditions = st.one_of(
    st.builds(Rendition, st.just("r"), scale=st.floats(0.01, 1)),
    st.builds(Rendition, st.just("r"), width=st.integers(1, 100), height=st.none() | st.integers(1, 100)),
    st.builds(
        Rendition,
        st.just("r"),
        width=st.integers(1, 100),
        height=st.integers(1, 100),
        fit=st.sampled_from(["cover", "contain"]),
    ),
    st.builds(
        Rendition,
        st.just("r"),
        scale=st.just(0.5),
        format=st.sampled_from(["jpeg", "png", "webp", "avif"]),
        quality=st.none() | st.integers(1, 100),
    ),
)


def noise(mode: str, size: tuple[int, int], seed: int) -> Image.Image:
    """Return an image of random pixels in any mode."""
    random = np.random.default_rng(seed)
    width, height = size
    if mode in {"I;16", "I", "F"}:
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(kind))
    channels = {"L": 1, "1": 1, "LA": 2, "RGBA": 4, "CMYK": 4}.get(mode, 3)
    pixels = random.integers(0, 256, (height, width, channels), dtype=np.uint8)
    if mode == "LAB":
        return Image.frombytes("LAB", size, pixels.tobytes())
    made = Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels, mode={2: "LA", 4: mode}.get(channels))
    return made if made.mode == mode else made.convert(mode)


def encode_noise(source: tuple[str, str], seed: int) -> bytes:
    image_format, mode = source
    return encode(noise(mode, (40, 30), seed), image_format)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(sources, sides, sides, st.integers(0, 9), renditions, st.integers(0, 2**32))
def test_every_output_has_the_size_and_format_of_its_rendition(
    source: tuple[str, str], width: int, height: int, orientation: int, rendition: Rendition, seed: int
) -> None:
    image_format, mode = source
    options: dict[str, Any] = {}
    if image_format in {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"}:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    body = encode(noise(mode, (width, height), seed), image_format, **options)
    (output,) = render(body, [rendition], limits=LIMITS, metadata=MetadataPolicy.ALL).outputs
    displayed = (height, width) if 5 <= orientation <= 8 and "exif" in options else (width, height)
    image = load(output.body)
    assert image.size == (output.width, output.height) == rendition.place(displayed).output_size
    assert image.format == (rendition.format or image_format).upper()
    assert image.getexif().get(ORIENTATION, 1) == 1


FILES = [
    *(make() for name, make in SOURCES.items() if not name.startswith("packed")),
    *(encode(picture(33, 21), "TIFF", compression=name) for name in ("packbits", "tiff_adobe_deflate", "jpeg", "lzma")),
    encode(picture(33, 21), progressive=True),
    encode(picture(33, 21), "WEBP", lossless=True),
]
HALF_AND_ICON = [Rendition("half", scale=0.5), Rendition("icon", width=8, height=8, fit="cover", format="jpeg")]
NUMBERS = [0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]

number = st.tuples(st.sampled_from(NUMBERS), st.sampled_from([1, 2, 4]), st.sampled_from(["big", "little"])).map(
    lambda drawn: (drawn[0] & ((1 << 8 * drawn[1]) - 1)).to_bytes(drawn[1], drawn[2])  # type: ignore[arg-type]  # an order
)
edit = st.tuples(
    st.floats(0, 1),
    st.integers(0, 40),
    st.sampled_from(["set", "cut off", "leave out", "repeat"]),
    st.booleans(),
    number,
)


def damage(source: bytes, edits: list[tuple[float, int, str, bool, bytes]]) -> bytes:
    """Return the file after the edits, in order. Half of them change the first 200 bytes, where headers are."""
    for share, length, kind, is_early, value in edits:
        offset = int(share * (min(len(source), 200) if is_early else len(source)))
        before, part, after = source[:offset], source[offset : offset + length], source[offset + length :]
        source = {
            "set": before + value + source[offset + len(value) :],
            "cut off": before,
            "leave out": before + after,
            "repeat": before + part + part + after,
        }[kind]
    return source


@settings(max_examples=600, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    source=st.sampled_from(FILES) | st.builds(encode_noise, sources, st.integers(0, 2**32)),
    edits=st.lists(edit, min_size=1, max_size=4),
)
def test_a_damaged_image_is_rejected_or_its_outputs_decode(
    source: bytes, edits: list[tuple[float, int, str, bool, bytes]]
) -> None:
    with contextlib.suppress(RejectedError):
        for output in render(damage(source, edits), HALF_AND_ICON, limits=LIMITS, metadata=MetadataPolicy.ALL).outputs:
            assert load(output.body).size == (output.width, output.height)


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"II*\0", b"BM"]),
)
def test_random_bytes_are_rejected(content: bytes, signature: bytes) -> None:
    with pytest.raises(RejectedError):
        render(signature + content, [Rendition("r", scale=0.5)], limits=LIMITS)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["GIF", "WEBP", "PNG"]),
    st.sampled_from(["RGB", "RGBA"]),
    sides,
    sides,
    st.integers(2, 5),
    st.integers(0, 2**32),
)
def test_every_animation_keeps_its_total_duration(
    image_format: str, mode: str, width: int, height: int, count: int, seed: int
) -> None:
    frames = [noise(mode, (width, height), seed + number) for number in range(count)]
    durations = [20 * (number + 1) for number in range(count)]
    body = encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    (output,) = render(body, [Rendition("r", scale=0.5)], limits=LIMITS).outputs
    total = 0
    with Image.open(io.BytesIO(output.body)) as image:
        assert image.size == Rendition("r", scale=0.5).place((width, height)).size
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            total += image.info.get("duration", 0)
    # Equal neighbours may have been merged. A single frame has no duration.
    assert total in {sum(durations), 0} or getattr(image, "n_frames", 1) == 1
