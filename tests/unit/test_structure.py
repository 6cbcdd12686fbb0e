"""What the proof knows of a large JPEG, PNG or TIFF of which it decodes some rows: that all is in its place."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from errors import Reason, RejectedError
from imaging import proof
from imaging.formats import png_chunks, tiff_directories
from tests.images import decoded, encoded, picture

LARGE = picture(300, 700)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_an_output_that_something_follows_or_precedes_is_a_rejection(image_format: str) -> None:
    image = picture(40, 30)
    body = encoded(image, image_format)
    proof.check(body, image_format, [image])
    for damaged in (body + b"\0", body + body, b"\0" + body, body[:-1], body[:3]):
        with pytest.raises(RejectedError, match="does not decode: it"):
            proof.check(damaged, image_format, [image])


@pytest.mark.parametrize(
    ("image_format", "begins", "inside"),
    [
        # As Pillow writes it where a frame is empty.
        ("GIF", b"\x21\xf9\x04", b"GIF89a" + bytes(7)),
        ("PNG", b"\0\0\0\x1afcTL", bytes(4)),
        ("WEBP", b"ANMF", bytes(2)),
        ("AVIF", b"mdat", bytes(2)),
    ],
)
def test_an_animation_with_something_else_inside_is_a_rejection(
    image_format: str, begins: bytes, inside: bytes
) -> None:
    frames = [picture(40, 30).rotate(turn) for turn in (0, 90, 180)]
    body = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=50)
    proof.check(body, image_format, frames)
    place = body.rindex(begins)
    with pytest.raises(RejectedError, match="does not decode: it"):
        proof.check(body[:place] + inside + body[place:], image_format, frames)


def test_a_tiff_whose_last_page_is_cut_off_is_a_rejection() -> None:
    pages = [picture(40, 30), picture(40, 30)]
    body = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    proof.check(body, "TIFF", pages)
    with pytest.raises(RejectedError, match="does not decode: a strip is cut off"):
        # Pillow pads a page to 16 bytes.
        proof.check(body[:-20], "TIFF", pages)


def entry(body: bytearray, tag: int) -> int:
    """Where a directory's first entry of this tag is."""
    directory = int.from_bytes(body[4:8], "little")
    return next(at for at in range(directory + 2, len(body), 12) if int.from_bytes(body[at : at + 2], "little") == tag)


@pytest.mark.parametrize(
    ("tag", "place", "number", "message"),
    [
        (tiff_directories.STRIPS, 4, 2, "its strips contradict each other"),
        (tiff_directories.STRIPS, 8, 1 << 30, "the values of tag 273 are cut off"),
        (tiff_directories.ROWS_IN_STRIP, 0, 9, "it has no tag 278"),
    ],
)
def test_a_tiff_whose_directory_is_wrong_is_a_rejection(tag: int, place: int, number: int, message: str) -> None:
    body = bytearray(encoded(LARGE, "TIFF", compression="tiff_lzw"))
    at = entry(body, tag) + place
    body[at : at + 2 if not place else at + 4] = number.to_bytes(2 if not place else 4, "little")
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
def test_a_large_jpeg_whose_rows_are_not_all_there_is_a_rejection(damage: Callable[[bytes, int], bytes]) -> None:
    body = encoded(LARGE, quality=95)
    proof.check(body, "JPEG", [LARGE])
    with pytest.raises(RejectedError, match=r"does not decode: |differs from its image") as caught:
        proof.check(damage(body, len(body) // 2), "JPEG", [LARGE])
    assert caught.value.reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("top", range(0, 640, 90))
def test_a_part_of_a_large_jpeg_that_shows_something_else_is_a_rejection(top: int) -> None:
    spoilt = LARGE.copy()
    spoilt.paste("black", (0, top, 300, top + 90))
    with pytest.raises(RejectedError, match="differs from its image"):
        proof.check(encoded(spoilt), "JPEG", [LARGE])


def test_a_png_is_known_by_its_first_rows_and_all_of_its_checksums() -> None:
    body = encoded(LARGE, "PNG")
    proof.check(body, "PNG", [LARGE])
    got = decoded(png_chunks.first_rows(body, 64))
    assert np.array_equal(np.asarray(got), np.asarray(LARGE)[:64])
    exchanged = Image.merge("RGB", LARGE.split()[::-1])
    with pytest.raises(RejectedError, match="differs from its image"):
        proof.check(encoded(exchanged, "PNG"), "PNG", [LARGE])
    for place in (24, len(body) // 2, len(body) - 40):
        damaged = bytearray(body)
        damaged[place] ^= 1
        with pytest.raises(RejectedError, match=r"does not decode: its chunk I\w+ is damaged"):
            proof.check(bytes(damaged), "PNG", [LARGE])
    for cut in (body[:-12], body[:-1], body[: len(body) // 2]):
        with pytest.raises(RejectedError, match="does not decode: it"):
            proof.check(cut, "PNG", [LARGE])


def test_a_large_output_of_another_size_is_a_rejection() -> None:
    for size in ((300, 684), (284, 700)):
        other = LARGE.resize(size)
        for image_format, body in (
            ("JPEG", encoded(other)),
            ("PNG", encoded(other, "PNG")),
            ("TIFF", encoded(other, "TIFF")),
        ):
            with pytest.raises(RejectedError, match="pixels in place of"):
                proof.check(body, image_format, [LARGE])
