"""The proof of outputs: what an encoder spoils is never published, and an honest encoder is never accused."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from errors import Reason, RejectedError
from imaging import proof
from imaging.formats import ENCODERS
from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
from tests.images import encoded, picture

LIMITS = Limits(1769 << 20)
FRAMES = [picture(160, 120).rotate(90 * turn) for turn in range(4)]
"""As they are encoded."""


def noise(shape: tuple[int, ...], mode: str | None = None) -> Image.Image:
    made = Image.fromarray(np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8))
    return made.convert(mode) if mode else made


def failing(*_: object, **__: object) -> bytes:
    raise RuntimeError("no space left in the code book")


def written(images: list[Image.Image], image_format: str, **options: Any) -> bytes:
    return encoded(images[0], image_format, save_all=True, append_images=images[1:], **options)


def spoilt(monkeypatch: pytest.MonkeyPatch, image_format: str, body: bytes) -> RejectedError:
    """What becomes of four frames if this is what their encoder writes."""
    source = written([frame.resize((320, 240)) for frame in FRAMES], image_format)
    monkeypatch.setitem(ENCODERS, image_format, replace(ENCODERS[image_format], encode=lambda _: body))
    with pytest.raises(RejectedError) as caught:
        render(source, [Rendition("half", scale=0.5)], limits=LIMITS)
    return caught.value


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda name: encoded(Image.new("RGB", (160, 120)), name), "differs from its image by"),
        (lambda name: encoded(noise((120, 160, 3)), name), "differs from its image by"),
        (lambda name: encoded(picture(160, 119), name), r"has \(160, 119\) pixels in place of \(160, 120\)"),
        (lambda name: encoded(picture(160, 120), name)[:-1500], "does not decode"),
        (lambda name: encoded(picture(160, 120), "PNG" if name != "PNG" else "BMP"), "does not decode"),
    ],
)
def test_what_an_encoder_spoils_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str, spoilt: Callable[[str], bytes], message: str
) -> None:
    encoder = replace(ENCODERS[image_format], encode=lambda job: spoilt(job.format))
    monkeypatch.setitem(ENCODERS, image_format, encoder)
    with pytest.raises(RejectedError, match=message) as caught:
        render(encoded(picture(), image_format), [Rendition("half", scale=0.5)], limits=LIMITS)
    assert caught.value.reason is Reason.UNFAITHFUL


def test_what_an_encoder_raises_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    source = encoded(picture())
    monkeypatch.setattr(Image.Image, "save", failing)
    with pytest.raises(RejectedError, match=r"^unfaithful: the JPEG output cannot be encoded: no space left"):
        render(source, [Rendition("half", scale=0.5)], limits=LIMITS)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_frames_that_are_cut_off_in_the_output_are_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str
) -> None:
    body = written(FRAMES, image_format)
    assert spoilt(monkeypatch, image_format, body[: len(body) * 2 // 3]).reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("kept", [[0], [0, 1, 2], [0, 2, 3], [1, 2, 3]])
@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_frames_that_differ_and_are_missing_are_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str, kept: list[int]
) -> None:
    refused = spoilt(monkeypatch, image_format, written([FRAMES[number] for number in kept], image_format))
    assert refused.reason is Reason.UNFAITHFUL
    assert "differs" in refused.message


def test_a_tiff_must_keep_each_page_in_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer = spoilt(monkeypatch, "TIFF", written(FRAMES[:1], "TIFF"))
    assert (fewer.reason, fewer.message) == (Reason.UNFAITHFUL, "the output has 1 frames in place of 4")
    smaller = spoilt(monkeypatch, "TIFF", written([*FRAMES[:3], FRAMES[3].resize((80, 60))], "TIFF"))
    assert smaller.message == "the output has (80, 60) pixels in place of (160, 120)"


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_frames_in_another_order_are_a_rejection(monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
    swapped = [FRAMES[number] for number in (0, 2, 1, 3)]
    assert spoilt(monkeypatch, image_format, written(swapped, image_format)).reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_later_frame_that_shows_something_else_is_a_rejection(
    monkeypatch: pytest.MonkeyPatch, image_format: str
) -> None:
    others = [Image.new("RGB", (160, 120), colour) for colour in ("black", "blue", "white")]
    assert spoilt(monkeypatch, image_format, written([FRAMES[0], *others], image_format)).reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_too_many_frames_are_a_rejection(monkeypatch: pytest.MonkeyPatch, image_format: str) -> None:
    refused = spoilt(monkeypatch, image_format, written([*FRAMES, picture(160, 120).rotate(45)], image_format))
    assert (refused.reason, refused.message) == (Reason.UNFAITHFUL, "the output has 5 frames in place of 4")


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_lost_transparency_is_a_rejection(image_format: str) -> None:
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    half.paste((0, 120, 0, 255), (32, 0, 64, 64))
    proof.check(encoded(half, image_format), image_format, [half])
    with pytest.raises(RejectedError, match="differs"):
        proof.check(encoded(half.convert("RGB"), image_format), image_format, [half])


@pytest.mark.parametrize("size", [(40, 30), (300, 700)])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_numbers_of_32_bits_must_be_equal(kind: type, size: tuple[int, int]) -> None:
    """All of these are above 255, and some are no numbers."""
    levels: Any = np.random.default_rng(7).integers(300, 90_000, size[::-1]).astype(kind)
    if kind is np.float32:
        levels[:3] = [[np.nan], [np.inf], [-3.4e38]]
    image = Image.fromarray(levels)
    proof.check(encoded(image, "TIFF"), "TIFF", [image])
    proof.check(written([image, picture(9, 9), image], "TIFF"), "TIFF", [image, picture(9, 9), image])
    levels[5, 7] += 1
    for spoilt in (Image.fromarray(levels), Image.new("L", size, 255)):
        with pytest.raises(RejectedError, match="differs from its image, whose numbers are of 32 bits"):
            proof.check(encoded(spoilt, "TIFF"), "TIFF", [image])
        with pytest.raises(RejectedError, match="differs from its image, whose numbers are of 32 bits"):
            proof.check(written([image, spoilt], "TIFF"), "TIFF", [image, image])


def half_grey(image: Image.Image) -> Image.Image:
    """What many decoders make of the first half of a file."""
    spoilt = image.copy()
    spoilt.paste("grey", (0, image.height // 2, image.width, image.height))
    return spoilt


@pytest.mark.parametrize(
    "spoil",
    [
        lambda image: image.rotate(180),
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: Image.eval(image, lambda level: 255 - level),
        lambda image: Image.merge("RGB", image.split()[::-1]),
        half_grey,
    ],
    ids=["turned", "mirrored", "negative", "channels exchanged", "half grey"],
)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "BMP"])
def test_the_same_colours_in_other_places_are_a_rejection(image_format: str, spoil: Callable[..., Image.Image]) -> None:
    image = picture(160, 120)
    with pytest.raises(RejectedError, match="differs") as caught:
        proof.check(encoded(spoil(image), image_format), image_format, [image])
    assert caught.value.reason is Reason.UNFAITHFUL


@pytest.mark.parametrize("size", [(7, 400), (400, 7), (1, 1000)])
def test_a_black_ribbon_is_a_rejection(size: tuple[int, int]) -> None:
    with pytest.raises(RejectedError):
        proof.check(encoded(Image.new("RGB", size), "PNG"), "PNG", [Image.new("RGB", size, "white")])


@pytest.mark.parametrize("body", [b"", b"\0" * 1000, encoded(picture(160, 120), "PNG")[:2000], b"GIF89a"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "BMP"])
def test_what_is_no_image_at_all_is_a_rejection(image_format: str, body: bytes) -> None:
    with pytest.raises(RejectedError, match="does not decode"):
        proof.check(body, image_format, [picture(160, 120)])


def test_a_proof_that_runs_out_of_memory_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(proof, "_difference", exhausted)
    with pytest.raises(RejectedError):
        render(encoded(picture()), [Rendition("half", scale=0.5)], limits=LIMITS)


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
        encoded(noise((16, 16, 3)), quality=1),
        encoded(noise((64, 64, 3), "CMYK"), quality=1),
        encoded(noise((100, 100, 2)), "PNG"),
        encoded(noise((100, 100, 4)), "PNG"),
        encoded(noise((64, 64, 4)), "GIF"),
        encoded(noise((64, 64, 3)), "BMP"),
        encoded(Image.frombytes("LAB", (90, 90), noise((90, 90, 3)).tobytes()), "TIFF"),
        encoded(Image.fromarray(np.random.default_rng(7).integers(0, 65536, (64, 64), dtype=np.uint16)), "PNG"),
        encoded(Image.fromarray(np.random.default_rng(7).random((64, 64), dtype=np.float32)), "TIFF"),
        encoded(stripes((64, 64), ("red", "cyan")), "PNG"),
        encoded(stripes((64, 64), ("blue", "yellow")), subsampling=2),
        encoded(Image.new("CMYK", (64, 64), (255, 0, 255, 0))),
        encoded(Image.new("1", (64, 64), 1), "TIFF", compression="group4"),
        written([noise((32, 32, 3)), noise((32, 32, 3)).rotate(90), Image.new("RGB", (32, 32), "red")], "GIF"),
        written([Image.new("RGBA", (64, 64), colour) for colour in ("#ff000000", "#00ff0080", "#0000ffff")], "WEBP"),
    ],
)
def test_a_hard_case_is_not_called_unfaithful(source: bytes, image_format: str | None, quality: int | None) -> None:
    rendition = Rendition("half", scale=0.5, format=image_format, quality=quality, background="#ff00ff")
    (output,) = render(source, [rendition], limits=LIMITS).outputs
    with Image.open(io.BytesIO(output.body)) as image:
        assert image.size == (output.width, output.height)


@pytest.mark.parametrize("image_format", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize(
    "image",
    [
        *(
            noise((1, 1, 3)),
            noise((1, 90, 3)),
            noise((90, 1, 3)),
            noise((50, 50, 3)),
            noise((50, 50, 4)),
            noise((16, 300)),
        ),
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


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "AVIF", "GIF"])
@pytest.mark.parametrize("quality", [1, None])
def test_neighbours_that_are_equal_or_nearly_are_not_called_unfaithful(image_format: str, quality: int | None) -> None:
    fading = [Image.new("RGB", (32, 32), (level, level, level)) for level in range(0, 256, 8)]
    frames = [frame for turned in FRAMES for frame in 3 * [turned.resize((32, 32))]]
    lossless = {"lossless": True} if image_format == "WEBP" else {}
    source = written([*frames, *fading], image_format, duration=30, **lossless)
    assert render(source, [Rendition("half", scale=0.5, quality=quality)], limits=LIMITS).outputs


def test_a_flash_in_a_long_gif_keeps_its_colour() -> None:
    frames = [picture(48, 48).rotate(9 * number) for number in range(30)]
    frames[10] = Image.new("RGB", (48, 48), "magenta")
    (output,) = render(written(frames, "GIF"), [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    with Image.open(io.BytesIO(output.body)) as image:
        image.seek(10)
        red, green, blue, _ = image.convert("RGBA").getpixel((9, 9))  # type: ignore[misc]
    assert min(red, blue) > 240
    assert green < 15


def test_frames_that_become_equal_are_each_shown_as_long_as_before() -> None:
    frames = [Image.new("L", (16, 16), level) for level in (0, 0, 255)]
    # Which is averaged away.
    frames[1].putpixel((0, 0), 9)
    source = written(frames, "GIF", duration=[400_000, 500_000, 100])
    (output,) = render(source, [Rendition("tiny", width=1)], limits=LIMITS).outputs
    assert durations(output.body) == [400_000, 500_000, 100]


def test_frames_that_differ_are_each_shown_as_long_as_before() -> None:
    source = written(FRAMES, "GIF", duration=400_000)
    (output,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    assert durations(output.body) == 4 * [400_000]
