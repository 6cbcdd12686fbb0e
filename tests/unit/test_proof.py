"""The proof rejects every wrong output, and accepts every right one, however coarse."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image, ImageSequence

from errors import Reason, RejectedError
from imaging import proof
from imaging.formats import ENCODERS
from tests.images import encode, load, picture
from tests.unit.rendering import output_body, render_one

FRAMES = [picture(160, 120).rotate(90 * turn) for turn in range(4)]
COLOURS = [Image.new("RGB", (160, 120), colour) for colour in ("black", "blue", "white")]
STILLS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"]


def noise(shape: tuple[int, ...], mode: str | None = None) -> Image.Image:
    made = Image.fromarray(np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8))
    return made.convert(mode) if mode else made


def encode_all(images: list[Image.Image], image_format: str, **options: Any) -> bytes:
    return encode(images[0], image_format, save_all=True, append_images=images[1:], **options)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda name: encode_all(FRAMES, name)[:-1500], "does not decode"),
        (lambda name: encode_all([FRAMES[number] for number in (0, 2, 1, 3)], name), "differs"),
        (lambda name: encode_all([FRAMES[0], *COLOURS], name), "differs"),
        (lambda name: encode_all([*FRAMES, picture(160, 120).rotate(45)], name), "has 5 frames in place of 4"),
    ],
    ids=["cut off", "in another order", "other frames", "too many"],
)
def test_a_wrong_animation_is_rejected(image_format: str, wrong: Callable[[str], bytes], message: str) -> None:
    with pytest.raises(RejectedError, match=message) as caught:
        proof.check(wrong(image_format), image_format, FRAMES)
    assert caught.value.reason is Reason.UNFAITHFUL


def test_a_wrong_output_is_a_rejection_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = replace(ENCODERS["JPEG"], encode=lambda _: encode(Image.new("RGB", (160, 120))))
    monkeypatch.setitem(ENCODERS, "JPEG", encoder)
    with pytest.raises(RejectedError, match="differs from its image by") as caught:
        render_one(encode(picture()))
    assert caught.value.reason is Reason.UNFAITHFUL


def test_an_exception_of_an_encoder_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    source = encode(picture())
    monkeypatch.setattr(Image.Image, "save", Mock(side_effect=RuntimeError("no space left in the code book")))
    with pytest.raises(RejectedError, match=r"^unfaithful: the JPEG output cannot be encoded: no space left"):
        render_one(source)


@pytest.mark.parametrize("kept", [[0], [0, 1, 2], [0, 2, 3], [1, 2, 3]])
@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_must_show_every_frame_that_differs(image_format: str, kept: list[int]) -> None:
    with pytest.raises(RejectedError, match="differs"):
        proof.check(encode_all([FRAMES[number] for number in kept], image_format), image_format, FRAMES)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_additional_last_frame_is_rejected_if_equal_neighbours_were_merged(image_format: str) -> None:
    first, second, third, other = FRAMES
    with pytest.raises(RejectedError, match="differs"):
        proof.check(
            encode_all([first, second, third, other], image_format), image_format, [first, second, second, third]
        )


def test_a_tiff_must_keep_each_page_in_its_size() -> None:
    with pytest.raises(RejectedError, match="the output has 1 frames in place of 4"):
        proof.check(encode_all(FRAMES[:1], "TIFF"), "TIFF", FRAMES)
    with pytest.raises(RejectedError, match=r"the output has \(80, 60\) pixels in place of \(160, 120\)"):
        proof.check(encode_all([*FRAMES[:3], FRAMES[3].resize((80, 60))], "TIFF"), "TIFF", FRAMES)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_lost_transparency_is_rejected(image_format: str) -> None:
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    half.paste((0, 120, 0, 255), (32, 0, 64, 64))
    proof.check(encode(half, image_format), image_format, [half])
    with pytest.raises(RejectedError, match="differs"):
        proof.check(encode(half.convert("RGB"), image_format), image_format, [half])


@pytest.mark.parametrize("size", [(40, 30), (300, 700)])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_samples_of_32_bits_must_be_equal(kind: type, size: tuple[int, int]) -> None:
    levels: Any = np.random.default_rng(7).integers(300, 90_000, size[::-1]).astype(kind)
    if kind is np.float32:
        levels[:3] = [[np.nan], [np.inf], [-3.4e38]]
    image = Image.fromarray(levels)
    proof.check(encode(image, "TIFF"), "TIFF", [image])
    proof.check(encode_all([image, picture(9, 9), image], "TIFF"), "TIFF", [image, picture(9, 9), image])
    levels[5, 7] += 1
    for spoilt in (Image.fromarray(levels), Image.new("L", size, 255)):
        with pytest.raises(RejectedError, match="differs from its image, whose values have 16 or 32 bits"):
            proof.check(encode(spoilt, "TIFF"), "TIFF", [image])
        with pytest.raises(RejectedError, match="differs from its image, whose values have 16 or 32 bits"):
            proof.check(encode_all([image, spoilt], "TIFF"), "TIFF", [image, image])


def grey_out_half(image: Image.Image) -> Image.Image:
    """Return what many decoders show of the first half of a file."""
    spoilt = image.copy()
    spoilt.paste("grey", (0, image.height // 2, image.width, image.height))
    return spoilt


@pytest.mark.parametrize(
    "wrong",
    [
        Image.new("RGB", (160, 120)),
        noise((120, 160, 3)),
        picture(160, 120).rotate(180),
        picture(160, 120).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        Image.eval(picture(160, 120), lambda level: 255 - level),
        Image.merge("RGB", picture(160, 120).split()[::-1]),
        grey_out_half(picture(160, 120)),
    ],
    ids=["black", "noise", "turned", "mirrored", "negative", "channels exchanged", "half grey"],
)
@pytest.mark.parametrize("image_format", STILLS)
def test_other_pixels_are_rejected(image_format: str, wrong: Image.Image) -> None:
    with pytest.raises(RejectedError, match="differs from its image by") as caught:
        proof.check(encode(wrong, image_format), image_format, [picture(160, 120)])
    assert caught.value.reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("image_format", STILLS)
def test_another_size_is_rejected(image_format: str) -> None:
    with pytest.raises(RejectedError, match=r"has \(160, 119\) pixels in place of \(160, 120\)"):
        proof.check(encode(picture(160, 119), image_format), image_format, [picture(160, 120)])


@pytest.mark.parametrize("body", [b"", bytes(1000), encode(picture(160, 120), "PNG")[:2000], b"GIF89a", None])
@pytest.mark.parametrize("image_format", STILLS)
def test_bytes_that_do_not_decode_are_rejected(image_format: str, body: bytes | None) -> None:
    truncated = encode(picture(160, 120), image_format)[:-1500]
    with pytest.raises(RejectedError, match="does not decode"):
        proof.check(truncated if body is None else body, image_format, [picture(160, 120)])


@pytest.mark.parametrize("size", [(side, 3000) for side in range(1, 18)] + [(3000, side) for side in range(1, 18)])
@pytest.mark.parametrize("image_format", [name for name in STILLS if name != "GIF"])
def test_a_ribbon_that_shows_a_gradient_is_accepted(image_format: str, size: tuple[int, int]) -> None:
    gradient = Image.linear_gradient("L")
    ribbon = (gradient if size[0] < size[1] else gradient.rotate(90)).resize(size).convert("RGB")
    proof.check(encode(ribbon, image_format), image_format, [ribbon])


@pytest.mark.parametrize("size", [(7, 400), (400, 7), (1, 1000)])
def test_a_black_ribbon_is_rejected(size: tuple[int, int]) -> None:
    with pytest.raises(RejectedError):
        proof.check(encode(Image.new("RGB", size), "PNG"), "PNG", [Image.new("RGB", size, "white")])


def test_a_proof_that_runs_out_of_memory_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_find_difference", Mock(side_effect=MemoryError))
    with pytest.raises(RejectedError, match=r"^too_large"):
        render_one(encode(picture()))


def durations(body: bytes) -> list[int]:
    with Image.open(io.BytesIO(body)) as image:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]


def stripes(size: tuple[int, int], colours: tuple[str, str]) -> Image.Image:
    image = Image.new("RGB", size, colours[0])
    for left in range(0, size[0], 2):
        image.paste(colours[1], (left, 0, left + 1, size[1]))
    return image


@pytest.mark.parametrize("quality", [1, None])
@pytest.mark.parametrize("image_format", [None, "jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize(
    "source",
    [
        encode(noise((16, 16, 3)), quality=1),
        encode(noise((64, 64, 3), "CMYK"), quality=1),
        encode(noise((100, 100, 2)), "PNG"),
        encode(noise((100, 100, 4)), "PNG"),
        encode(noise((64, 64, 4)), "GIF"),
        encode(noise((64, 64, 3)), "BMP"),
        encode(Image.frombytes("LAB", (90, 90), noise((90, 90, 3)).tobytes()), "TIFF"),
        encode(Image.fromarray(np.random.default_rng(7).integers(0, 65536, (64, 64), dtype=np.uint16)), "PNG"),
        encode(Image.fromarray(np.random.default_rng(7).random((64, 64), dtype=np.float32)), "TIFF"),
        encode(stripes((64, 64), ("red", "cyan")), "PNG"),
        encode(stripes((64, 64), ("blue", "yellow")), subsampling=2),
        encode(Image.new("CMYK", (64, 64), (255, 0, 255, 0))),
        encode(Image.new("1", (64, 64), 1), "TIFF", compression="group4"),
        encode_all([noise((32, 32, 3)), noise((32, 32, 3)).rotate(90), Image.new("RGB", (32, 32), "red")], "GIF"),
        encode_all([Image.new("RGBA", (64, 64), colour) for colour in ("#ff000000", "#00ff0080", "#0000ffff")], "WEBP"),
    ],
)
def test_a_right_output_of_a_hard_case_passes(source: bytes, image_format: str | None, quality: int | None) -> None:
    (output,) = render_one(source, image_format, quality=quality, background="#ff00ff").outputs
    assert load(output.body).size == (output.width, output.height)


def test_a_jpeg_of_quality_1_with_a_thin_edge_passes() -> None:
    image = Image.new("RGB", (8, 8), "black")
    image.paste("cyan", (0, 0, 7, 7))
    # Its only cell differs by 52; 64 are allowed.
    proof.check(encode(image, quality=1), "JPEG", [image])


@pytest.mark.parametrize("image_format", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize(
    "image",
    [
        *(noise(shape) for shape in ((1, 1, 3), (1, 90, 3), (90, 1, 3), (50, 50, 3), (50, 50, 4), (16, 300))),
        *(Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "lime", "magenta", "black", "white")),
        *(Image.new("RGBA", (64, 64), colour) for colour in ("#ff000000", "#00ff0080", "#0000ff02")),
    ],
)
@pytest.mark.parametrize("quality", [1, None, 100])
def test_every_quality_over_every_background_passes(image: Image.Image, image_format: str, quality: int | None) -> None:
    for background in ("#000000", "#ffffff", "#00ff00"):
        (output,) = render_one(encode(image, "PNG"), image_format, quality=quality, background=background).outputs
        assert load(output.body).size == (output.width, output.height)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("quality", [1, None])
def test_frames_that_equal_or_resemble_their_neighbours_pass(image_format: str, quality: int | None) -> None:
    fading = [Image.new("RGB", (32, 32), (level, level, level)) for level in range(0, 256, 8)]
    frames = [frame for turned in FRAMES for frame in 3 * [turned.resize((32, 32))]]
    lossless = {"lossless": True} if image_format == "WEBP" else {}
    source = encode_all([*frames, *fading], image_format, duration=30, **lossless)
    assert render_one(source, quality=quality).outputs


def test_a_flash_in_a_long_gif_keeps_its_colour() -> None:
    frames = [picture(48, 48).rotate(9 * number) for number in range(30)]
    frames[10] = Image.new("RGB", (48, 48), "magenta")
    with Image.open(io.BytesIO(output_body(encode_all(frames, "GIF")))) as image:
        image.seek(10)
        red, green, blue, _ = image.convert("RGBA").getpixel((9, 9))  # type: ignore[misc]
    assert min(red, blue) > 240
    assert green < 15


def test_equal_and_different_frames_keep_their_durations() -> None:
    nearly_black = Image.new("L", (16, 16))
    # Resizing averages this pixel away, so the first two outputs are equal.
    nearly_black.putpixel((0, 0), 9)
    similar = [Image.new("L", (16, 16)), nearly_black, Image.new("L", (16, 16), 255)]
    for frames, times in ((similar, [400_000, 500_000, 100]), (FRAMES, 4 * [400_000])):
        assert durations(output_body(encode_all(frames, "GIF", duration=times), width=1)) == times
