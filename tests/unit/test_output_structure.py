"""The proof checks the structure of outputs, which shows damage that a partial decoding of large ones does not."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from errors import Reason, RejectedError
from imaging import proof
from imaging.formats import png_chunks, tiff_directories
from tests.images import encode, load, picture

LARGE = picture(300, 700)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_missing_or_additional_bytes_at_either_end_are_rejected(image_format: str) -> None:
    image = picture(40, 30)
    body = encode(image, image_format)
    proof.check(body, image_format, [image])
    for damaged in (body + b"\0", body + body, b"\0" + body, body[:-1], body[:3]):
        with pytest.raises(RejectedError, match="does not decode: it"):
            proof.check(damaged, image_format, [image])


@pytest.mark.parametrize(
    ("image_format", "begins", "inside"),
    [
        # Pillow writes a second header for an empty frame.
        ("GIF", b"\x21\xf9\x04", b"GIF89a" + bytes(7)),
        ("PNG", b"\0\0\0\x1afcTL", bytes(4)),
        ("WEBP", b"ANMF", bytes(2)),
        ("AVIF", b"mdat", bytes(2)),
    ],
)
def test_additional_bytes_inside_an_animation_are_rejected(image_format: str, begins: bytes, inside: bytes) -> None:
    frames = [picture(40, 30).rotate(turn) for turn in (0, 90, 180)]
    body = encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=50)
    proof.check(body, image_format, frames)
    offset = body.rindex(begins)
    with pytest.raises(RejectedError, match="does not decode: it"):
        proof.check(body[:offset] + inside + body[offset:], image_format, frames)


def test_a_tiff_with_a_truncated_last_page_is_rejected() -> None:
    pages = [picture(40, 30), picture(40, 30)]
    body = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    proof.check(body, "TIFF", pages)
    with pytest.raises(RejectedError, match="does not decode: a strip is cut off"):
        # The last 16 bytes may be padding.
        proof.check(body[:-20], "TIFF", pages)


def find_entry(body: bytearray, tag: int) -> int:
    """Return the offset of the directory's first entry of this tag."""
    directory = int.from_bytes(body[4:8], "little")
    return next(at for at in range(directory + 2, len(body), 12) if int.from_bytes(body[at : at + 2], "little") == tag)


@pytest.mark.parametrize(
    ("tag", "offset", "value", "message"),
    [
        (tiff_directories.STRIPS, 4, b"\2\0\0\0", "its strips contradict each other"),
        (tiff_directories.STRIPS, 8, b"\0\0\0\x40", "the values of tag 273 are cut off"),
        (tiff_directories.ROWS_IN_STRIP, 0, b"\x09\0", "it has no tag 278"),
    ],
)
def test_a_tiff_with_a_wrong_directory_is_rejected(tag: int, offset: int, value: bytes, message: str) -> None:
    body = bytearray(encode(LARGE, "TIFF", compression="tiff_lzw"))
    start = find_entry(body, tag) + offset
    body[start : start + len(value)] = value
    with pytest.raises(RejectedError, match=f"does not decode: {message}"):
        proof.check(bytes(body), "TIFF", [LARGE])


@pytest.mark.parametrize(
    "damage",
    [
        lambda body, half: body[:half] + body[half + 2000 :],
        lambda body, half: body[:half] + bytes(200) + body[half + 200 :],
        lambda body, half: body[:half] + b"\xff\xd9",
        lambda body, half: body[:half],
        lambda body, half: body[:half] + b"\xff\xc4" + body[half:],
        lambda body, half: body[:half] + b"\xff\xd9" + body[half:],
        lambda body, _: body[:-2],
        lambda body, _: body + b"x",
    ],
    ids=["missing", "zeros", "cut", "open", "marker", "ended", "endless", "longer"],
)
def test_a_large_jpeg_with_missing_or_damaged_rows_is_rejected(damage: Callable[[bytes, int], bytes]) -> None:
    body = encode(LARGE, quality=95)
    proof.check(body, "JPEG", [LARGE])
    with pytest.raises(RejectedError, match=r"does not decode: |differs from its image") as caught:
        proof.check(damage(body, len(body) // 2), "JPEG", [LARGE])
    assert caught.value.reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("top", range(0, 640, 90))
def test_a_large_jpeg_with_wrong_pixels_in_one_part_is_rejected(top: int) -> None:
    spoilt = LARGE.copy()
    spoilt.paste("black", (0, top, 300, top + 90))
    with pytest.raises(RejectedError, match="differs from its image"):
        proof.check(encode(spoilt), "JPEG", [LARGE])


def test_a_large_png_is_proven_by_its_first_rows_and_its_checksums() -> None:
    body = encode(LARGE, "PNG")
    proof.check(body, "PNG", [LARGE])
    got = load(png_chunks.take_first_rows(body, 64))
    assert np.array_equal(np.asarray(got), np.asarray(LARGE)[:64])
    exchanged = Image.merge("RGB", LARGE.split()[::-1])
    with pytest.raises(RejectedError, match="differs from its image"):
        proof.check(encode(exchanged, "PNG"), "PNG", [LARGE])
    for offset in (24, len(body) // 2, len(body) - 40):
        damaged = bytearray(body)
        damaged[offset] ^= 1
        with pytest.raises(RejectedError, match=r"does not decode: its chunk I\w+ is damaged"):
            proof.check(bytes(damaged), "PNG", [LARGE])
    for cut in (body[:-12], body[:-1], body[: len(body) // 2]):
        with pytest.raises(RejectedError, match="does not decode: it"):
            proof.check(cut, "PNG", [LARGE])


def test_a_large_output_of_another_size_is_rejected() -> None:
    for size in ((300, 684), (284, 700)):
        other = LARGE.resize(size)
        for image_format in ("JPEG", "PNG", "TIFF"):
            with pytest.raises(RejectedError, match="pixels in place of"):
                proof.check(encode(other, image_format), image_format, [LARGE])
