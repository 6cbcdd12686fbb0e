"""The demo's uploads. Each has a property that a naive resizer loses."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageDraw, ImageFilter


@dataclass(frozen=True)
class Upload:
    """One object for the source bucket."""

    key: str
    body: bytes


def demo_uploads() -> Iterator[Upload]:
    """Draw them one by one, ``cake.jpg`` first."""
    photo = cake(1600, 1200)
    yield Upload("cake.jpg", encode(photo, "JPEG", quality=90))
    yield Upload("phone/held upright.jpg", encode(photo.rotate(90, expand=True), "JPEG", exif=make_turned_exif()))
    yield Upload("logo.png", encode(_draw_logo(500), "PNG"))
    candle = [cake(300, 225, flame) for flame in (0, 3, 6, 3)]
    yield Upload(
        "party/candle.gif",
        encode(candle[0], "GIF", save_all=True, append_images=candle[1:], duration=120, loop=0),
    )
    yield Upload("notes.jpg", b"This is a text file: it has only the name of an image.\n")


def encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """Encode an image; the options are Pillow's."""
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def make_turned_exif() -> Image.Exif:
    """Return the EXIF of an upright phone photo, whose pixels are stored turned."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return exif


def _draw_logo(side: int) -> Image.Image:
    logo = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(logo)
    draw.ellipse((0, 0, side - 1, side - 1), fill=(226, 88, 62, 255))
    draw.ellipse((side // 4, side // 4, side * 3 // 4, side * 3 // 4), fill=(0, 0, 0, 0))
    return logo


def cake(width: int, height: int, flame: int = 0) -> Image.Image:
    """Draw a cake with one candle, its flame ``flame`` steps to the right."""
    dusk = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", [dusk.point([base - level // 5 for level in range(256)]) for base in (255, 235, 225)])
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * width, top * height, right * width, bottom * height

    draw.ellipse(box(0.08, 0.78, 0.92, 0.96), fill="#d9dde3")
    for colour, top, bottom in (("#7a4326", 0.62, 0.86), ("#f7e3c0", 0.55, 0.66), ("#7a4326", 0.46, 0.58)):
        draw.rounded_rectangle(box(0.2, top, 0.8, bottom), radius=0.03 * width, fill=colour)
    draw.rounded_rectangle(box(0.18, 0.42, 0.82, 0.52), radius=0.04 * width, fill="#f49ac1")
    for drop in range(8):
        left = 0.2 + 0.075 * drop
        draw.ellipse(box(left, 0.46, left + 0.07, 0.54 + 0.03 * (drop % 3)), fill="#f49ac1")
    draw.rectangle(box(0.485, 0.24, 0.515, 0.43), fill="#4d9de0")
    shift = 0.004 * flame
    draw.ellipse(box(0.475 + shift, 0.12, 0.525 + shift, 0.25), fill="#ffb400")
    return image.filter(ImageFilter.GaussianBlur(width / 1600))
