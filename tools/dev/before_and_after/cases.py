"""The uploads that are shown, and what is said of either answer: each has something that the usual handler loses."""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageFilter

from tools.dev.before_and_after.profile import pro_photo
from tools.imaging.pictures import cake, encoded, turned_right

FRAMES = 4

FINE = {"quality": 95, "subsampling": "4:4:4"}
"""Of JPEGs: what a coder does is not what is shown here."""


@dataclass(frozen=True)
class Case:
    """One upload.

    Attributes:
        title: What it is, to its owner.
        details: What it is, to a decoder.
        format: In Pillow's name.
        body: The file.
        usual: What is wrong with the usual handler's answer; empty where it has none.
        ours: What is right with ours.
        scale: Output side / source side.

    """

    title: str
    details: str
    format: str
    body: bytes
    usual: str
    ours: str
    scale: float = 0.5


def cases() -> Iterator[Case]:
    """Draw them one by one; an output is at most 160 x 120 pixels, one frame of the animation 80 x 60."""
    yield Case(
        "A phone, held upright",
        "JPEG, orientation in EXIF",
        "JPEG",
        encoded(cake(216, 288).rotate(90, expand=True), "JPEG", **FINE, exif=turned_right()),
        usual="lies on its side",
        ours="upright",
    )
    yield Case(
        "A photo from an editor",
        "JPEG in ProPhoto RGB",
        "JPEG",
        _in_pro_photo(_balloons(320, 240)),
        usual="no profile: colours are dull",
        ours="its profile, byte for byte",
    )
    yield Case(
        "A logo, cut out",
        "PNG, palette, transparent",
        "PNG",
        _in_palette(_logo(240)),
        usual="picks pixels: lines break",
        ours="weighs all: lines stay",
    )
    candle = [cake(160, 120, flame) for flame in (-8, 0, 8, 16)]
    yield Case(
        "An animation",
        f"GIF, {FRAMES} frames",
        "GIF",
        encoded(candle[0], "GIF", save_all=True, append_images=candle[1:], duration=120, loop=0),
        usual=f"1 frame of {FRAMES}",
        ours=f"{FRAMES} frames, with their times",
    )
    yield Case(
        "An X-ray",
        "PNG, grey, 16 bits, to a fifth",
        "PNG",
        encoded(_x_ray(800, 600), "PNG"),
        usual="",
        ours="16 bits",
        scale=0.2,
    )
    whole = encoded(cake(320, 240), "JPEG", **FINE)
    yield Case(
        "An upload that broke off",
        "JPEG, its end is missing",
        "JPEG",
        whole[: len(whole) * 5 // 8],
        usual="",
        ours="",
    )


def _in_pro_photo(image: Image.Image) -> bytes:
    profile = pro_photo()
    wide = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), io.BytesIO(profile), outputMode="RGB")
    return encoded(cast(Image.Image, wide), "JPEG", **FINE, icc_profile=profile)


def _balloons(width: int, height: int) -> Image.Image:
    """Balloons of full colours before a sky, all of which sRGB can show."""
    sky = Image.linear_gradient("L").resize((width, height))
    bands = ((40, 170), (130, 215), (235, 250))
    image = Image.merge("RGB", [sky.point([a + (b - a) * level // 255 for level in range(256)]) for a, b in bands])
    draw = ImageDraw.Draw(image)
    places = ((0.2, 0.42, "#ff2d20"), (0.42, 0.3, "#ffc400"), (0.63, 0.45, "#00b140"), (0.83, 0.32, "#c800c8"))
    radius = 0.16 * height
    for across, down, colour in places:
        x, y = across * width, down * height
        draw.line((x, y + radius, width / 2, height), fill="#333333", width=max(1, width // 160))
        draw.ellipse((x - 0.85 * radius, y - radius, x + 0.85 * radius, y + radius), fill=colour)
        draw.ellipse((x - 0.5 * radius, y - 0.7 * radius, x - 0.2 * radius, y - 0.2 * radius), fill="#ffffff")
    return image.filter(ImageFilter.GaussianBlur(width / 400))


def _logo(side: int) -> Image.Image:
    """A sun of thin rays, which a palette holds without a loss."""
    logo = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(logo)
    middle = side / 2
    for number in range(36):
        turn = math.tau * number / 36
        reach = middle * (0.97 if number % 2 else 0.8)
        ends = [(middle + share * math.cos(turn), middle + share * math.sin(turn)) for share in (0.3 * side, reach)]
        draw.line(ends, fill="#e2583e")
    for radius in range(side // 8, side // 4, 5):
        draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), outline="#1f4e79")
    draw.ellipse((middle * 0.82, middle * 0.82, middle * 1.18, middle * 1.18), fill="#e2583e")
    return logo


def _in_palette(image: Image.Image) -> bytes:
    return encoded(image.quantize(8), "PNG")


def _x_ray(width: int, height: int) -> Image.Image:
    """Ribs and a spine, soft, in 16 bits of grey."""
    image = Image.new("L", (width, height), 12)
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.16, -height * 0.1, width * 0.84, height * 1.2), fill=70)
    for side in (-1, 1):
        lung = Image.new("L", image.size, 0)
        x = width * (0.5 + 0.16 * side)
        ImageDraw.Draw(lung).ellipse((x - width * 0.12, height * 0.1, x + width * 0.12, height * 0.92), fill=45)
        image = ImageChops.subtract(image, lung.filter(ImageFilter.GaussianBlur(width / 60)))
    draw = ImageDraw.Draw(image)
    for rib in range(7):
        top = height * (0.02 + 0.12 * rib)
        for left, start, end in ((0.22, 150, 300), (0.5, 240, 390)):
            box = (width * left, top, width * (left + 0.28), top + height * 0.4)
            draw.arc(box, start, end, fill=150, width=width // 45)
        y = height * (0.03 + 0.14 * rib)
        draw.rounded_rectangle((width * 0.465, y, width * 0.535, y + height * 0.11), width // 80, fill=185)
    soft = image.filter(ImageFilter.GaussianBlur(width / 160))
    return soft.convert("I").point(lambda level: level * 257 + 0).convert("I;16")
