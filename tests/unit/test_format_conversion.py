"""Other formats than the source's, and modes that a format cannot hold: colours, transparency, depth and frames."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, JpegImagePlugin

from imaging import decode, palette
from imaging.format import Frame
from imaging.formats import bmp_header
from imaging.limits import Limits
from imaging.render import Rendered, render
from renditions import Rendition
from tests.images import UPRIGHT_CORNERS, corners, decoded, encoded, picture

LIMITS = Limits(1769 << 20)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def rendered(source: bytes, image_format: str | None, **options: object) -> Rendered:
    return render(source, [Rendition("r", scale=0.5, format=image_format, **options)], limits=LIMITS)  # type: ignore[arg-type]


def converted(source: bytes, image_format: str | None, **options: object) -> Image.Image:
    return decoded(rendered(source, image_format, **options).outputs[0].body)


def png16(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint16]], extra: bytes = b"") -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads and does not write; ``extra`` are chunks before the pixels."""
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, kind, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(header) + extra + chunk(b"IDAT" + zlib.compress(rows)) + chunk(b"IEND")


def chunk(content: bytes) -> bytes:
    return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize(
    ("image_format", "mode"),
    [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("PNG", "P"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("BMP", "RGB"), ("GIF", "P")],
)
def test_every_format_becomes_every_other_with_the_same_colours(image_format: str, mode: str, to: str) -> None:
    image = converted(encoded(picture(mode=mode), image_format), to)
    assert image.format == to.upper()
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
def test_lab_becomes_the_colours_it_means(to: str) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    stored = ImageCms.profileToProfile(picture(), srgb, lab, outputMode="LAB")
    assert stored is not None
    assert corners(converted(encoded(stored, "TIFF"), to)) == UPRIGHT_CORNERS


def test_a_profile_that_the_output_cannot_carry_is_applied() -> None:
    # A profile whose red and blue are exchanged: whoever drops it shows the wrong colours.
    profile = bytearray(SRGB)
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    kept = converted(encoded(picture(), "PNG", icc_profile=bytes(profile)), "webp")
    assert kept.info["icc_profile"] == bytes(profile)
    # What was grey and is RGB now has the profile's colours already, or the profile was never about it.
    grey = encoded(picture(mode="LA"), "PNG", icc_profile=SRGB)
    assert "icc_profile" not in converted(grey, "webp").info


@pytest.mark.parametrize("to", [None, "jpeg", "png", "webp"])
def test_a_broken_profile_fails_nothing(to: str | None) -> None:
    assert corners(converted(encoded(picture(mode="CMYK"), icc_profile=b"no profile" * 30), to)) == UPRIGHT_CORNERS


@pytest.mark.parametrize(
    ("background", "seen"), [("#ffffff", (255, 255, 255)), ("#ff0000", (255, 0, 0)), ("#0000FF", (0, 0, 255))]
)
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "colour key"])
def test_where_there_is_no_alpha_the_background_shows(kind: str, background: str, seen: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((120, 120, 120, 255), (32, 0, 64, 64))
    if kind == "P":
        paletted = Image.new("P", (64, 64))
        paletted.putpalette([9, 9, 9, 120, 120, 120])
        paletted.paste(1, (32, 0, 64, 64))
        source = encoded(paletted, "PNG", transparency=0)
    elif kind == "colour key":
        source = encoded(image.convert("RGB"), "PNG", transparency=(0, 0, 0))
    else:
        source = encoded(image.convert(kind), "PNG")
    output = converted(source, "jpeg", background=background).convert("RGB")
    for place, want in (((4, 16), seen), ((28, 16), (120, 120, 120))):
        pixel = output.getpixel(place)
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, want, strict=True)) <= 8


@pytest.mark.parametrize(("image_format", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
@pytest.mark.parametrize("to", ["jpeg", "webp", "avif"])
def test_sixteen_bit_grey_is_narrowed_not_clipped(image_format: str, mode: str, to: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 256), (64, 1))
    stored = Image.frombytes(mode, (256, 64), ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    got = np.asarray(converted(encoded(stored, image_format), to).convert("L"), dtype=int)
    assert np.abs(got - np.linspace(0, 255, 128)).max() <= 8


def test_a_grey_that_is_transparent_at_sixteen_bits_stays_so() -> None:
    pixels = np.full((64, 64, 1), 40000, np.uint16)
    pixels[:, :32] = 40001
    image = converted(png16(pixels, chunk(b"tRNS" + (40001).to_bytes(2, "big"))), None)
    alpha = image.convert("RGBA").getchannel("A")
    assert (alpha.getpixel((4, 16)), alpha.getpixel((28, 16))) == (0, 255)


@pytest.mark.parametrize("channels", [3, 4])
def test_bits_that_are_lost_are_said(channels: int) -> None:
    pixels = np.full((8, 8, channels), 50000, np.uint16)
    assert rendered(png16(pixels), None).lost == "16 bits a channel were reduced to 8"


def test_bits_that_are_kept_are_not_said_to_be_lost() -> None:
    assert rendered(png16(np.full((8, 8, 1), 50000, np.uint16)), None).lost == ""
    assert rendered(encoded(picture()), None).lost == ""


@pytest.mark.parametrize("to", [None, "png", "webp", "avif"])
@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_an_animation_stays_one_in_every_format_that_has_them(image_format: str, to: str | None) -> None:
    frames = [picture().rotate(90 * turn) for turn in range(3)]
    source = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=[100, 200, 300])
    image = Image.open(io.BytesIO(rendered(source, to).outputs[0].body))
    durations = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        durations.append(image.info["duration"])
        want = np.asarray(frames[number].resize((160, 120)), dtype=int)
        assert np.abs(np.asarray(image.convert("RGB"), dtype=int) - want).mean() < 6
    assert durations == [100, 200, 300]


@pytest.mark.parametrize(("image_format", "to"), [("GIF", "jpeg"), ("TIFF", "png"), ("TIFF", "webp")])
def test_elsewhere_the_first_frame_is_shown(image_format: str, to: str) -> None:
    frames = [picture(), picture().rotate(180)]
    image = converted(encoded(frames[0], image_format, save_all=True, append_images=frames[1:]), to)
    assert getattr(image, "n_frames", 1) == 1
    assert corners(image) == UPRIGHT_CORNERS


def test_of_a_multi_picture_jpeg_the_main_picture_is_kept() -> None:
    source = encoded(picture(), "MPO", save_all=True, append_images=[picture().rotate(180)])
    assert decoded(source).format == "MPO"
    image = converted(source, None)
    assert (image.format, image.size, corners(image)) == ("JPEG", (160, 120), UPRIGHT_CORNERS)


def test_a_palette_is_written_back_where_it_is_smaller_and_faithful() -> None:
    flat = Image.new("P", (400, 400))
    flat.putpalette([200, 30, 30, 30, 200, 30, 30, 30, 200, 240, 240, 240])
    for number in range(4):
        flat.paste(number, (100 * number, 0, 100 * number + 100, 400))
    source = encoded(flat, "PNG")
    output = rendered(source, None).outputs[0].body
    assert decoded(output).mode == "P"
    assert len(output) <= len(source)
    want = np.asarray(flat.convert("RGB").resize((200, 200), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(decoded(output).convert("RGB"), dtype=int) - want).max() <= 4


def test_a_rough_palette_gives_one_that_is_no_rougher_and_no_larger_file() -> None:
    noise = np.random.default_rng(0).normal(0, 40, (200, 300, 3))
    photo = np.clip(np.asarray(picture(300, 200)) + noise, 0, 255).astype(np.uint8)
    rough = Image.fromarray(photo).quantize(4)
    source = encoded(rough, "PNG", optimize=True)
    output = rendered(source, None).outputs[0].body
    want = rough.convert("RGB").resize((150, 100), Image.Resampling.BOX)
    assert len(encoded(want, "PNG")) > len(source)
    assert len(output) <= len(source)
    error = np.asarray(decoded(output).convert("RGB"), dtype=int) - np.asarray(want, dtype=int)
    assert 10 * np.log10(255**2 / (error**2).mean()) > 30


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_keeps_its_chroma_subsampling(subsampling: int) -> None:
    source = encoded(picture(), subsampling=subsampling)
    assert JpegImagePlugin.get_sampling(converted(source, None)) == subsampling


def test_colours_do_not_bleed_out_of_what_is_transparent() -> None:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    image.paste((255, 160, 0, 255), (50, 50, 150, 150))
    pixels = np.asarray(converted(encoded(image, "PNG"), "avif").convert("RGBA"), dtype=int)
    edge = pixels[24:77, 24:77][pixels[24:77, 24:77, 3] > 200]
    assert np.abs(edge[:, :3] - (255, 160, 0)).max() < 40


@pytest.mark.parametrize("scale", [0.77, 0.4, 0.13])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_fine_detail_is_averaged_not_picked(image_format: str, scale: float) -> None:
    random = np.random.default_rng(0).integers(0, 2, (300, 300), dtype=np.uint8) * 255
    source = Image.fromarray(random)
    output = render(encoded(source, image_format), [Rendition("r", scale=scale)], limits=LIMITS).outputs[0].body
    got = np.asarray(decoded(output).convert("L"), dtype=int)
    want = np.asarray(source.resize((got.shape[1], got.shape[0]), Image.Resampling.BICUBIC), dtype=int)
    assert np.abs(got - want).mean() < 8


def test_an_odd_side_does_not_keep_a_jpegs_decoder_from_halving_it(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded_sizes = []
    frames = decode.Picture.frames

    def spied(self: decode.Picture) -> Iterator[Frame]:
        for frame in frames(self):
            decoded_sizes.append(frame.image.size)
            yield frame

    monkeypatch.setattr(decode.Picture, "frames", spied)
    assert converted(encoded(picture(321, 241)), None).size == (161, 121)
    assert decoded_sizes == [(161, 121)]


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_a_tiff_keeps_what_its_values_are_differences_to(compression: str, predictor: int) -> None:
    source = encoded(picture(), "TIFF", compression=compression, tiffinfo={317: predictor})
    assert converted(source, None).tag_v2.get(317, 1) == predictor  # type: ignore[attr-defined]


@pytest.mark.parametrize(("mode", "kept"), [("RGB", "jpeg"), ("L", "jpeg"), ("CMYK", "tiff_adobe_deflate")])
def test_a_tiff_of_jpegs_stays_one_where_its_colours_can(mode: str, kept: str) -> None:
    image = converted(encoded(picture(mode=mode), "TIFF", compression="jpeg"), None)
    assert (image.mode, image.info["compression"]) == (mode, kept)


def test_a_drawing_in_full_colour_does_not_grow() -> None:
    dots = np.random.default_rng(0).random((401, 401)) < 0.2
    source = encoded(Image.fromarray(dots).convert("RGB"), "PNG", optimize=True)
    assert len(rendered(source, None).outputs[0].body) <= len(source)


def test_an_apng_of_few_colours_does_not_grow() -> None:
    entries = np.random.default_rng(0).integers(0, 4, (4, 200, 200), dtype=np.uint8)
    frames = [Image.fromarray(frame, "P") for frame in entries]
    for frame in frames:
        frame.putpalette([0, 0, 0, 99, 0, 0, 0, 99, 0, 99, 99, 99])
    source = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50, optimize=True)
    half = [frame.convert("RGB").reduce(2) for frame in frames]
    assert len(encoded(half[0], "PNG", save_all=True, append_images=half[1:])) > len(source)
    output = rendered(source, None).outputs[0].body
    assert len(output) <= len(source)
    assert getattr(decoded(output), "n_frames", 1) == 4


def test_what_is_opaque_stays_so_in_a_palette() -> None:
    image = Image.new("RGBA", (400, 400), (200, 30, 30, 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((100, 100, 300, 300), fill=(0, 0, 0, 0))
    made = palette.quantize(image.resize((200, 200)), 16).convert("RGBA").getchannel("A")
    assert (made.getpixel((5, 5)), made.getpixel((100, 100))) == (255, 0)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "GIF"])
def test_dots_of_a_rare_colour_keep_it_in_a_palette(image_format: str) -> None:
    """A peak signal-to-noise ratio of all of the image hardly sees them; the ground has more greys than entries."""
    image = Image.radial_gradient("L").resize((600, 400)).convert("RGB")
    draw = ImageDraw.Draw(image)
    dots = {(60 * number + 30, 60): (255, 16 * number, 128 - 14 * number) for number in range(9)}
    for (left, top), colour in dots.items():
        draw.rectangle((left, top, left + 11, top + 11), fill=colour)
    source = encoded(image.quantize(256, method=Image.Quantize.MAXCOVERAGE), image_format)
    (output,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    shown, wanted = decoded(output.body), decoded(source).convert("RGB")
    assert image_format == "GIF" or shown.mode == "P"
    for left, top in dots:
        place, whole = ((left + 6) // 2, (top + 6) // 2), (left + 6, top + 6)
        got, want = shown.convert("RGB").getpixel(place), wanted.getpixel(whole)
        assert max(abs(one - other) for one, other in zip(got, want, strict=True)) <= 4  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_few_colours_with_alpha_are_exact_in_a_palette(mode: str) -> None:
    image = Image.new(mode, (16, 16))
    for place in range(200):
        image.putpixel(
            (place % 16, place // 16), (3 * (place % 60), *(place, 9)[: len(mode) - 2], 255 - 40 * (place % 7))
        )
    assert list(palette.quantize(image).convert("RGBA").tobytes()) == list(image.convert("RGBA").tobytes())


def test_grey_with_alpha_keeps_both_in_a_palette() -> None:
    assert palette.quantize(Image.new("LA", (8, 8), (100, 60))).convert("RGBA").getpixel((4, 4)) == (100, 100, 100, 60)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_bitmap_keeps_its_alpha(mode: str) -> None:
    source = picture().convert(mode)
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    bitmap = bmp_header.add_v5_header(encoded(source.convert("RGBA"), "BMP"), None, has_alpha=True)
    assert decoded(bitmap).getchannel("A").getextrema() == (0, 255)
    got, want = (np.asarray(image, dtype=int) for image in (converted(bitmap, None), source.convert("RGBA").reduce(2)))
    assert np.abs(got - want)[..., 3].max() <= 2
    # Where little is seen, eight bits of it say little of its colour.
    assert np.abs(got - want)[40:, :, :3].max() <= 8


def test_a_photo_in_a_png_is_not_forced_into_a_palette() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    assert decoded(rendered(encoded(Image.fromarray(noise), "PNG"), None).outputs[0].body).mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_cover_keeps_the_middle_of_what_is_displayed(image_format: str, orientation: int) -> None:
    turns = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}
    shown = Image.new("RGB", (600, 200), "red")
    shown.paste("green", (200, 0, 400, 200))
    shown.paste("blue", (200, 150, 400, 200))
    stored = shown
    for turn in turns.get(orientation, []):
        stored = stored.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = encoded(stored, image_format, exif=exif)
    rendition = Rendition("tile", width=40, height=40, fit="cover")
    image = decoded(render(body, [rendition], limits=LIMITS).outputs[0].body).convert("RGB")
    assert image.size == (40, 40)
    pixels = [image.getpixel(place) for place in ((3, 3), (36, 3), (20, 36))]
    assert [tuple(round(level / 127.5) for level in pixel) for pixel in pixels if isinstance(pixel, tuple)] == [
        (0, 1, 0),
        (0, 1, 0),
        (0, 0, 2),
    ]
