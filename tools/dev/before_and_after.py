"""Draw docs/before-and-after.png: six uploads beside the outputs of the usual handler and of this function."""

import io
import math
import struct
import textwrap
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFile, ImageFilter, ImageFont, ImageOps

from errors import RejectedError
from tools.benchmarks.contestants import ours, usual
from tools.benchmarks.job import Job, Wanted
from tools.common.paths import ROOT
from tools.imaging.pictures import cake, encode, make_turned_exif

DOCUMENT = ROOT / "docs" / "before-and-after.png"

COLUMNS = {468: "upload", 850: "the usual handler", 1232: "this function"}
WIDTH, MARGIN, HEADER, ROW = 1600, 40, 92, 344
PAPER, INK, FAINT, LINE, RED, GREEN = "#fcfcf8", "#1f2328", "#59636e", "#dcd9d0", "#b42318", "#1a7f37"

PRO_PHOTO = {b"rXYZ": (0.7977, 0.2880, 0.0), b"gXYZ": (0.1352, 0.7119, 0.0), b"bXYZ": (0.0313, 0.0001, 0.8249)}
"""Primaries of a wide gamut, ProPhoto RGB, under D50 (ISO 22028-2, annex A)."""


class Upload(NamedTuple):
    """One row: a source, the captions of both outputs, and their share of the source's sides."""

    title: str
    details: str
    body: bytes
    usual: str = ""
    ours: str = ""
    scale: float = 0.5


def draw() -> Image.Image:
    """Give the uploads to both handlers and draw what they return."""
    rows = list(_make_uploads())
    sheet = Image.new("RGB", (WIDTH, HEADER + ROW * len(rows)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for left, name in COLUMNS.items():
        pen.text((left, HEADER - 24), name, INK, ImageFont.load_default(36), anchor="ls")
    for number, upload in enumerate(rows):
        top = HEADER + ROW * number
        pen.line((MARGIN, top, WIDTH - MARGIN, top), LINE, 2)
        pen.text((MARGIN, top + 28), upload.title, INK, ImageFont.load_default(34))
        pen.text((MARGIN, top + 76), upload.details, FAINT, ImageFont.load_default(26))
        for left, (frames, caption, colour) in zip(COLUMNS, _draw_cells(upload), strict=True):
            bottom = top + 28
            for place, frame in enumerate(frames):
                x, y = left + place % 2 * (frame.width + 6), top + 28 + place // 2 * (frame.height + 6)
                sheet.paste(frame, (x, y))
                bottom = y + frame.height + 8
            pen.text((left, bottom), textwrap.fill(caption, 26), colour, ImageFont.load_default(26), spacing=8)
    # Six bits per channel look alike and save a quarter of the file.
    return sheet.point([min(255, 4 * round(level / 4)) for level in range(256)] * 3)


def _make_uploads() -> Iterator[Upload]:
    """Draw the sources. Outputs have at most 160 x 120 pixels, frames of the animation 80 x 60."""
    fine = {"quality": 95, "subsampling": "4:4:4"}
    phone = encode(cake(180, 240).rotate(90, expand=True), "JPEG", **fine, exif=make_turned_exif())
    yield Upload("A phone, held upright", "JPEG, orientation in EXIF", phone, "lies on its side", "upright")
    profile = _make_wide_gamut()
    photo = ImageCms.profileToProfile(_draw_balloons(320, 240), ImageCms.createProfile("sRGB"), profile)
    wide = encode(cast(Image.Image, photo), "JPEG", **fine, icc_profile=profile.tobytes())
    yield Upload("A photo from an editor", "JPEG, wide-gamut profile", wide, "no profile: dull colours", "profile kept")
    logo = encode(_draw_logo(240).quantize(8), "PNG")
    yield Upload("A logo", "PNG, palette", logo, "picks pixels: broken lines", "averages: whole lines")
    candle, *others = [cake(160, 120, flame) for flame in (-8, 0, 8, 16)]
    animation = encode(candle, "GIF", save_all=True, append_images=others, duration=120, loop=0)
    yield Upload("An animation", "GIF, 4 frames", animation, "1 frame of 4", "4 frames")
    scan = encode(cake(640, 480).convert("L").convert("I").point(lambda level: level * 257 + 0).convert("I;16"), "PNG")
    yield Upload("A scan", "PNG, grey, 16 bits", scan, ours="16 bits", scale=0.25)
    whole = encode(cake(320, 240), "JPEG", **fine)
    yield Upload("An interrupted upload", "JPEG, its end is missing", whole[: len(whole) * 5 // 8])


def _draw_cells(upload: Upload) -> Iterator[tuple[list[Image.Image], str, str]]:
    """Return the frames, the caption and its colour for each column."""
    # A browser shows the part of a truncated file that arrived.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        source = _read_frames(upload.body, 2 * upload.scale)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    yield source, "", FAINT
    for prepare, caption, colour in ((usual.prepare, upload.usual, RED), (ours.prepare, upload.ours, GREEN)):
        try:
            yield _read_frames(resize(prepare, upload), 2), caption, colour
        except RejectedError as error:
            yield [], f"writes nothing, and records why: {error}", colour
        except Exception as error:  # noqa: BLE001 - the usual handler's answer is what it raises
            yield [], f"raises {type(error).__name__}: {error}", colour


def resize(prepare: Callable[[Job, bytes], Callable[[], list[bytes]]], upload: Upload) -> bytes:
    """Resize an upload with a contestant of the benchmark."""
    with Image.open(io.BytesIO(upload.body)) as image:
        width, height = (round(side * upload.scale) for side in image.size)
        wanted = Wanted(str(image.format), width, height, upload.scale)
    (body,) = prepare(Job("", "", (wanted,), quality=90), upload.body)()
    return body


def _read_frames(body: bytes, zoom: float) -> list[Image.Image]:
    """Return every frame as a browser shows it, upright and in sRGB."""
    frames = []
    with Image.open(io.BytesIO(body)) as source:
        for number in range(getattr(source, "n_frames", 1)):
            source.seek(number)
            image = ImageOps.exif_transpose(source)
            if image.mode == "I;16":
                image = Image.fromarray(np.uint8(np.asarray(image) >> 8))
            if profile := image.info.get("icc_profile"):
                srgb = ImageCms.createProfile("sRGB")
                image = ImageCms.profileToProfile(image, io.BytesIO(profile), srgb) or image
            frames.append(ImageOps.scale(image.convert("RGB"), zoom, Image.Resampling.BOX))
    return frames


def _make_wide_gamut() -> ImageCms.ImageCmsProfile:
    """Make a profile, which Pillow can't do, by replacing the primaries of its sRGB profile."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(*struct.unpack_from(">I", profile, 128)):
        tag, offset = struct.unpack_from(">4sI", profile, 132 + 12 * number)
        if tag in PRO_PHOTO:
            struct.pack_into(">3i", profile, offset + 8, *(round(part * 65536) for part in PRO_PHOTO[tag]))
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _draw_balloons(width: int, height: int) -> Image.Image:
    """Draw balloons of saturated colours before a sky, all within sRGB."""
    image = ImageOps.colorize(Image.linear_gradient("L").resize((width, height)), "#2882eb", "#aad7fa")
    pen = ImageDraw.Draw(image)
    for x, y, colour in ((64, 101, "#ff2d20"), (134, 72, "#ffc400"), (202, 108, "#00b140"), (266, 77, "#c800c8")):
        pen.line((x, y + 38, width / 2, height), fill="#333333", width=2)
        pen.ellipse((x - 33, y - 38, x + 33, y + 38), fill=colour)
        pen.ellipse((x - 19, y - 27, x - 8, y - 8), fill="#ffffff")
    return image.filter(ImageFilter.GaussianBlur(0.8))


def _draw_logo(side: int) -> Image.Image:
    """Draw thin rays and rings."""
    image = Image.new("RGB", (side, side), "white")
    pen, middle = ImageDraw.Draw(image), side / 2
    for angle in range(0, 360, 10):
        x, y = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        pen.line([(middle + share * side * x, middle + share * side * y) for share in (0.3, 0.48)], fill="#e2583e")
    for radius in range(5, side // 4, 5):
        pen.circle((middle, middle), radius, outline="#1f4e79")
    return image
