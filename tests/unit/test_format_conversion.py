"""Conversion between formats and modes: colours, transparency, depth, frames and palettes."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageSequence, JpegImagePlugin

from imaging import decode, palette
from imaging.formats import bmp_header
from imaging.records import Frame
from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tests.unit.rendering import output_body, output_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize(
    ("image_format", "mode"),
    [("JPEG", "CMYK"), ("TIFF", "CMYK"), ("PNG", "P"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("BMP", "RGB"), ("GIF", "P")],
)
def test_every_format_is_converted_to_every_other_with_equal_colours(image_format: str, mode: str, to: str) -> None:
    image = output_image(encode(picture(mode=mode), image_format), to)
    assert image.format == to.upper()
    assert (image.size, corners(image)) == ((160, 120), UPRIGHT_CORNERS)


@pytest.mark.parametrize("to", ["jpeg", "png", "webp", "avif"])
def test_lab_is_converted_to_srgb(to: str) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    stored = ImageCms.profileToProfile(picture(), srgb, lab, outputMode="LAB")
    assert stored is not None
    assert corners(output_image(encode(stored, "TIFF"), to)) == UPRIGHT_CORNERS


def test_a_profile_for_rgb_is_dropped_from_grey() -> None:
    assert "icc_profile" not in output_image(encode(picture(mode="LA"), "PNG", icc_profile=SRGB), "webp").info


@pytest.mark.parametrize("to", [None, "jpeg", "png", "webp"])
def test_a_damaged_profile_is_ignored(to: str | None) -> None:
    assert corners(output_image(encode(picture(mode="CMYK"), icc_profile=b"no profile" * 30), to)) == UPRIGHT_CORNERS


@pytest.mark.parametrize(
    ("background", "seen"), [("#ffffff", (255, 255, 255)), ("#ff0000", (255, 0, 0)), ("#0000FF", (0, 0, 255))]
)
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "colour key"])
def test_transparent_pixels_become_the_background_in_jpeg(
    kind: str, background: str, seen: tuple[int, int, int]
) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((120, 120, 120, 255), (32, 0, 64, 64))
    if kind == "P":
        paletted = Image.new("P", (64, 64))
        paletted.putpalette([9, 9, 9, 120, 120, 120])
        paletted.paste(1, (32, 0, 64, 64))
        source = encode(paletted, "PNG", transparency=0)
    elif kind == "colour key":
        source = encode(image.convert("RGB"), "PNG", transparency=(0, 0, 0))
    else:
        source = encode(image.convert(kind), "PNG")
    output = output_image(source, "jpeg", background=background).convert("RGB")
    for place, want in (((4, 16), seen), ((28, 16), (120, 120, 120))):
        pixel = output.getpixel(place)
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, want, strict=True)) <= 8


@pytest.mark.parametrize(("image_format", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
@pytest.mark.parametrize("to", ["jpeg", "webp", "avif"])
def test_16_bit_grey_is_scaled_not_clipped(image_format: str, mode: str, to: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 256), (64, 1))
    stored = Image.frombytes(mode, (256, 64), ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    got = np.asarray(output_image(encode(stored, image_format), to).convert("L"), dtype=int)
    assert np.abs(got - np.linspace(0, 255, 128)).max() <= 8


@pytest.mark.parametrize("to", [None, "png", "webp", "avif"])
@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_every_format_with_animation_keeps_it(image_format: str, to: str | None) -> None:
    frames = [picture().rotate(90 * turn) for turn in range(3)]
    source = encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=[100, 200, 300])
    image = Image.open(io.BytesIO(output_body(source, to)))
    for got, frame, duration in zip(ImageSequence.Iterator(image), frames, (100, 200, 300), strict=True):
        want = np.asarray(frame.resize((160, 120)), dtype=int)
        assert np.abs(np.asarray(got.convert("RGB"), dtype=int) - want).mean() < 6
        assert got.info["duration"] == duration


@pytest.mark.parametrize(("image_format", "to"), [("GIF", "jpeg"), ("TIFF", "png"), ("TIFF", "webp")])
def test_a_format_without_animation_gets_the_first_frame(image_format: str, to: str) -> None:
    frames = [picture(), picture().rotate(180)]
    image = output_image(encode(frames[0], image_format, save_all=True, append_images=frames[1:]), to)
    assert getattr(image, "n_frames", 1) == 1
    assert corners(image) == UPRIGHT_CORNERS


def test_a_palette_is_kept_if_it_is_smaller_and_faithful() -> None:
    flat = Image.new("P", (400, 400))
    flat.putpalette([200, 30, 30, 30, 200, 30, 30, 30, 200, 240, 240, 240])
    for number in range(4):
        flat.paste(number, (100 * number, 0, 100 * number + 100, 400))
    source = encode(flat, "PNG")
    output = output_body(source)
    assert load(output).mode == "P"
    assert len(output) <= len(source)
    want = np.asarray(flat.convert("RGB").resize((200, 200), Image.Resampling.BOX), dtype=int)
    assert np.abs(np.asarray(load(output).convert("RGB"), dtype=int) - want).max() <= 4


def test_a_rough_palette_is_kept_without_further_loss() -> None:
    noise = np.random.default_rng(0).normal(0, 40, (200, 300, 3))
    photo = np.clip(np.asarray(picture(300, 200)) + noise, 0, 255).astype(np.uint8)
    rough = Image.fromarray(photo).quantize(4)
    source = encode(rough, "PNG", optimize=True)
    output = output_body(source)
    want = rough.convert("RGB").resize((150, 100), Image.Resampling.BOX)
    assert len(encode(want, "PNG")) > len(source)
    assert len(output) <= len(source)
    error = np.asarray(load(output).convert("RGB"), dtype=int) - np.asarray(want, dtype=int)
    assert 10 * np.log10(255**2 / (error**2).mean()) > 30


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_keeps_its_chroma_subsampling(subsampling: int) -> None:
    source = encode(picture(), subsampling=subsampling)
    assert JpegImagePlugin.get_sampling(output_image(source)) == subsampling


def test_colours_of_transparent_pixels_do_not_bleed() -> None:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    image.paste((255, 160, 0, 255), (50, 50, 150, 150))
    pixels = np.asarray(output_image(encode(image, "PNG"), "avif").convert("RGBA"), dtype=int)
    edge = pixels[24:77, 24:77][pixels[24:77, 24:77, 3] > 200]
    assert np.abs(edge[:, :3] - (255, 160, 0)).max() < 40


@pytest.mark.parametrize("scale", [0.77, 0.4, 0.13])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_fine_detail_is_averaged_not_sampled(image_format: str, scale: float) -> None:
    random = np.random.default_rng(0).integers(0, 2, (300, 300), dtype=np.uint8) * 255
    source = Image.fromarray(random)
    got = np.asarray(output_image(encode(source, image_format), scale=scale).convert("L"), dtype=int)
    want = np.asarray(source.resize((got.shape[1], got.shape[0]), Image.Resampling.BICUBIC), dtype=int)
    assert np.abs(got - want).mean() < 8


def test_a_jpeg_decoder_halves_odd_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded_sizes = []
    frames = decode.Picture.frames

    def spy(self: decode.Picture) -> Iterator[Frame]:
        for frame in frames(self):
            decoded_sizes.append(frame.image.size)
            yield frame

    monkeypatch.setattr(decode.Picture, "frames", spy)
    assert output_image(encode(picture(321, 241))).size == (161, 121)
    assert decoded_sizes == [(161, 121)]


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_a_tiff_keeps_its_predictor(compression: str, predictor: int) -> None:
    source = encode(picture(), "TIFF", compression=compression, tiffinfo={317: predictor})
    assert output_image(source).tag_v2.get(317, 1) == predictor  # type: ignore[attr-defined]


@pytest.mark.parametrize(("mode", "kept"), [("RGB", "jpeg"), ("L", "jpeg"), ("CMYK", "tiff_adobe_deflate")])
def test_a_tiff_keeps_jpeg_compression_except_for_cmyk(mode: str, kept: str) -> None:
    image = output_image(encode(picture(mode=mode), "TIFF", compression="jpeg"))
    assert (image.mode, image.info["compression"]) == (mode, kept)


def test_a_drawing_in_rgb_does_not_grow() -> None:
    dots = np.random.default_rng(0).random((401, 401)) < 0.2
    source = encode(Image.fromarray(dots).convert("RGB"), "PNG", optimize=True)
    assert len(output_body(source)) <= len(source)


def test_an_apng_of_few_colours_does_not_grow() -> None:
    entries = np.random.default_rng(0).integers(0, 4, (4, 200, 200), dtype=np.uint8)
    frames = [Image.fromarray(frame, "P") for frame in entries]
    for frame in frames:
        frame.putpalette([0, 0, 0, 99, 0, 0, 0, 99, 0, 99, 99, 99])
    source = encode(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=50, optimize=True)
    half = [frame.convert("RGB").reduce(2) for frame in frames]
    assert len(encode(half[0], "PNG", save_all=True, append_images=half[1:])) > len(source)
    output = output_body(source)
    assert len(output) <= len(source)
    assert getattr(load(output), "n_frames", 1) == 4


def test_a_palette_keeps_opaque_pixels_opaque() -> None:
    image = Image.new("RGBA", (400, 400), (200, 30, 30, 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((100, 100, 300, 300), fill=(0, 0, 0, 0))
    made = palette.quantize(image.resize((200, 200)), 16).convert("RGBA").getchannel("A")
    assert (made.getpixel((5, 5)), made.getpixel((100, 100))) == (255, 0)


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "GIF"])
def test_a_palette_keeps_rare_colours(image_format: str) -> None:
    """The dots hardly change the PSNR of the image; the background has more greys than a palette has entries."""
    image = Image.radial_gradient("L").resize((600, 400)).convert("RGB")
    draw = ImageDraw.Draw(image)
    dots = {(60 * number + 30, 60): (255, 16 * number, 128 - 14 * number) for number in range(9)}
    for (left, top), colour in dots.items():
        draw.rectangle((left, top, left + 11, top + 11), fill=colour)
    source = encode(image.quantize(256, method=Image.Quantize.MAXCOVERAGE), image_format)
    shown, wanted = output_image(source), load(source).convert("RGB")
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


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_bitmap_keeps_its_alpha(mode: str) -> None:
    source = picture().convert(mode)
    source.putalpha(Image.linear_gradient("L").resize(source.size))
    bitmap = bmp_header.add_v5_header(encode(source.convert("RGBA"), "BMP"), None, has_alpha=True)
    assert load(bitmap).getchannel("A").getextrema() == (0, 255)
    got, want = (np.asarray(image, dtype=int) for image in (output_image(bitmap), source.convert("RGBA").reduce(2)))
    assert np.abs(got - want)[..., 3].max() <= 2
    # Colours of nearly transparent pixels are coarse: they are multiplied by a small alpha of eight bits.
    assert np.abs(got - want)[40:, :, :3].max() <= 8


def test_a_photo_in_a_png_is_not_forced_into_a_palette() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    assert load(output_body(encode(Image.fromarray(noise), "PNG"))).mode == "RGB"
