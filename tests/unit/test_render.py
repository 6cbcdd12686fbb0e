"""Rendering keeps each property of an image that a resizer can lose."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from imaging.formats import jpeg
from imaging.render import render
from renditions import Rendition
from tests.images import UPRIGHT_CORNERS, corners, encode, encode_oriented, load, picture
from tests.unit.rendering import LIMITS, output_body, output_image, render_one

ORIENTATION = 0x0112


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_the_content_decides_the_format_of_the_output(image_format: str) -> None:
    (output,) = render_one(encode(picture(), image_format)).outputs
    image = load(output.body)
    assert image.format == image_format
    assert output.content_type == Image.MIME[image_format]
    assert image.size == (output.width, output.height) == (160, 120)
    assert corners(image) == UPRIGHT_CORNERS


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize(
    ("size", "half"),
    [((1, 1), (1, 1)), ((1, 9), (1, 5)), ((49, 500), (25, 250)), ((3, 2), (2, 1)), ((321, 239), (161, 120))],
)
def test_half_a_pixel_is_rounded_up(image_format: str, size: tuple[int, int], half: tuple[int, int]) -> None:
    assert output_image(encode(picture(*size), image_format)).size == half


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_the_orientation_is_applied_and_removed(image_format: str, orientation: int) -> None:
    image = output_image(encode_oriented(picture(), orientation, image_format))
    assert image.size == (160, 120)
    assert corners(image) == UPRIGHT_CORNERS
    assert image.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_colour_profile_is_kept_byte_for_byte(image_format: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert output_image(encode(picture(), image_format, icc_profile=profile)).info["icc_profile"] == profile


def test_a_cmyk_jpeg_stays_cmyk_and_is_not_inverted() -> None:
    image = output_image(encode(picture(mode="CMYK")))
    assert image.mode == "CMYK"
    assert corners(image) == UPRIGHT_CORNERS


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_kept_and_casts_no_halo(image_format: str) -> None:
    source = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    source.paste((255, 128, 0, 255), (51, 51, 149, 149))
    pixels = np.asarray(output_image(encode(source, image_format, lossless=True)).convert("RGBA"))
    assert pixels[0, 0, 3] == 0
    assert pixels[50, 50, 3] == 255
    edge = pixels[pixels[..., 3] > 40]
    # The filter rings at the four corners. Without premultiplying, the difference is 128 or more.
    assert np.abs(edge[:, :3].astype(int) - (255, 128, 0)).max() < 24


def test_a_palette_is_resized_in_full_colour() -> None:
    stripes = Image.new("P", (100, 100))
    stripes.putpalette([0, 0, 0, 255, 255, 255])
    stripes.putdata([x % 2 for _ in range(100) for x in range(100)])
    pixels = np.asarray(output_image(encode(stripes, "PNG")).convert("L"))
    assert pixels[:, 2:-2].min() > 100
    assert pixels[:, 2:-2].max() < 155


@pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
def test_a_palettes_transparent_colour_stays_transparent(transparency: int | bytes) -> None:
    image = Image.new("P", (100, 100))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (50, 0, 100, 100))
    alpha = output_image(encode(image, "PNG", transparency=transparency)).convert("RGBA").getchannel("A")
    assert (alpha.getpixel((5, 5)), alpha.getpixel((45, 5))) == (255, 0)


def animation(image_format: str, **options: object) -> bytes:
    frames = [picture(120, 80).rotate(90 * turn).convert("RGBA") for turn in range(4)]
    for number, frame in enumerate(frames):
        frame.paste((0, 0, 0, 0), (10 * number, 20, 10 * number + 40, 60))
    return encode(
        frames[0],
        image_format,
        save_all=True,
        append_images=frames[1:],
        duration=[100, 200, 50, 300],
        disposal=0 if image_format == "PNG" else 2,
        **options,
    )


@pytest.mark.parametrize(("image_format", "loop"), [("GIF", 3), ("GIF", None), ("WEBP", 3), ("PNG", 3), ("AVIF", None)])
def test_an_animation_keeps_its_frames_durations_and_loop_count(image_format: str, loop: int | None) -> None:
    source = animation(image_format, **({"loop": loop} if loop else {}))
    body = output_body(source)
    was, now = Image.open(io.BytesIO(source)), Image.open(io.BytesIO(body))
    assert now.n_frames == 4  # type: ignore[attr-defined]
    assert now.info.get("loop") == loop
    for number, duration in enumerate([100, 200, 50, 300]):
        was.seek(number)
        now.seek(number)
        now.load()
        assert now.info["duration"] == duration
        want = np.asarray(was.convert("RGBA").resize((60, 40), Image.Resampling.BICUBIC), dtype=int)
        got = np.asarray(now.convert("RGBA"), dtype=int)
        assert np.abs((want - got) * (want[..., 3:] == 255)).mean() < 4
        assert np.abs(want[..., 3] - got[..., 3]).mean() < 8


def test_an_apng_keeps_its_default_image() -> None:
    frames = [picture(40, 40), picture(40, 40).rotate(90), picture(40, 40).rotate(180)]
    source = encode(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True, duration=[10, 20])
    image = output_image(source)
    assert image.info["default_image"]
    assert image.n_frames == 3  # type: ignore[attr-defined]


def test_a_tiff_keeps_its_pages_and_their_compression() -> None:
    pages = [picture(100, 60), picture(60, 100, "L"), picture(80, 80)]
    source = io.BytesIO()
    pages[1].encoderinfo = {"compression": "packbits"}
    pages[0].save(source, "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    image = Image.open(io.BytesIO(output_body(source.getvalue())))
    seen = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        seen.append((image.size, image.mode, image.info["compression"]))
    assert seen == [((50, 30), "RGB", "tiff_lzw"), ((30, 50), "L", "packbits"), ((40, 40), "RGB", "tiff_lzw")]


@pytest.mark.parametrize(("image_format", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
def test_sixteen_bit_grey_stays_sixteen_bit(image_format: str, mode: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 200), (100, 1))
    stored = Image.frombytes(mode, (200, 100), ramp.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    source = encode(stored, image_format)
    assert load(source).mode == mode
    image = output_image(source)
    assert image.mode == "I;16"
    assert np.abs(np.asarray(image, dtype=float) - ramp[::2, ::2]).max() < 400


def write_first_table(quality: int, mode: str = "RGB") -> list[int]:
    """Return the first quantisation table of an output in this quality."""
    tables = jpeg.make_tables(is_chroma_halved=mode == "RGB")
    return load(encode(picture(), quality=quality, qtables=tables)).quantization[0]  # type: ignore[attr-defined, no-any-return]


def test_a_jpeg_is_not_written_in_a_higher_quality_than_its_source() -> None:
    outputs = [output_image(encode(picture(), quality=quality)) for quality in (30, 95)]
    tables = [output.quantization[0] for output in outputs]  # type: ignore[attr-defined]
    assert tables == [write_first_table(30), write_first_table(75)]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("numbers", [(1, 1, 1, 1), (1, 0, 0, 0), (3, 2, 1, 0), (0, 3, 3, 3)])
def test_a_jpegs_quality_is_read_from_the_table_of_its_first_component(mode: str, numbers: tuple[int, ...]) -> None:
    tables = {number: [4] * 64 for number in numbers} | {numbers[0]: [99] * 64}
    source = encode_with_tables(picture(mode=mode), tables, numbers)
    (table, *_) = output_image(source).quantization.values()  # type: ignore[attr-defined]
    # 99 is 1.72 times the mean step of libjpeg's table, as at quality 29.
    assert table == write_first_table(29, mode)


@pytest.mark.parametrize(
    ("mode", "numbers"), [("L", (1,)), ("RGB", (0, 1, 1)), ("RGB", (1, 0, 0)), ("CMYK", (1, 1, 1, 1))]
)
def test_a_jpeg_that_keeps_its_size_and_quality_keeps_its_tables(mode: str, numbers: tuple[int, ...]) -> None:
    tables = {number: [70 + number, *range(40, 103)] for number in numbers}
    source = encode_with_tables(picture(mode=mode), tables, numbers)
    kept, own = output_image(source, scale=1).quantization, load(source).quantization  # type: ignore[attr-defined]
    # Pillow writes a second table, equal to the first, if it is given one.
    assert list(kept.values())[: len(tables)] == [own[number] for number in dict.fromkeys(numbers)]


def test_no_ink_is_written_with_the_chroma_table_of_a_ycck_jpeg() -> None:
    source = bytearray(encode_with_tables(picture(mode="CMYK"), {0: [70] * 64, 1: [99] * 64}, (0, 1, 1, 0)))
    # The transform of Adobe's segment: 2 is YCCK, as Photoshop writes it. Pillow writes CMYK only.
    source[source.index(b"Adobe") + 11] = 2
    body = output_image(bytes(source), scale=1)
    used = {body.quantization[component[3]][0] for component in body.layer}  # type: ignore[attr-defined]
    assert used == {70}


def encode_with_tables(image: Image.Image, tables: dict[int, list[int]], numbers: tuple[int, ...]) -> bytes:
    """Return ``image`` as a JPEG whose components use the tables of these numbers."""
    body = bytearray(encode(image, qtables=[[1] * 64] * 2))
    frame = body.index(b"\xff\xc0")
    for component in range(body[frame + 9]):
        body[frame + 12 + 3 * component] = numbers[component]
    segments = b"".join(b"\xff\xdb\0\x43" + bytes([number, *table]) for number, table in tables.items())
    while (start := body.find(b"\xff\xdb")) >= 0:
        del body[start : start + 2 + int.from_bytes(body[start + 2 : start + 4], "big")]
    frame = body.index(b"\xff\xc0")
    return bytes(body[:frame] + segments + body[frame:])


def test_lossless_webp_stays_lossless() -> None:
    assert b"VP8L" in output_body(encode(picture(), "WEBP", lossless=True))[:64]
    assert b"VP8L" not in output_body(encode(picture(), "WEBP"))[:64]


def test_one_source_makes_several_renditions() -> None:
    outputs = render(
        encode(picture()), [Rendition("half", scale=0.5), Rendition("tenth", scale=0.1)], limits=LIMITS
    ).outputs
    assert [(output.width, output.height) for output in outputs] == [(160, 120), (32, 24)]
    assert all(corners(load(output.body)) == UPRIGHT_CORNERS for output in outputs)


def test_damaged_exif_does_not_reject_an_image() -> None:
    source = encode(picture(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert output_image(source).width == 160


@pytest.mark.parametrize(("image_format", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "F"), ("TIFF", "LAB")])
def test_images_of_rare_modes_shrink_to_a_fiftieth(image_format: str, mode: str) -> None:
    source = encode(Image.new(mode, (500, 300)), image_format)
    assert output_image(source, width=10).size == (10, 6)
