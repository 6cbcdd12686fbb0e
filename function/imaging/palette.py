"""Full colour to a palette, and how much is lost by it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageChops

from imaging.pillow import quantizing


class Fidelity(NamedTuple):
    """How near one image is to another.

    Attributes:
        decibels: Peak signal-to-noise ratio of all of it; infinite where nothing differs.
        block: Mean error of the worst block, of 255: a small area that loses its colour hardly changes the former.

    """

    decibels: float
    block: int

    def reaches(self, bound: "Fidelity") -> bool:
        """Whether it is as near as ``bound`` at least."""
        return self.decibels >= bound.decibels and self.block <= bound.block


FAITHFUL = Fidelity(40, 16)
"""From which a palette's error is not seen."""

TOLERABLE = Fidelity(30, 16)
"""The same, for what would otherwise grow: about what a palette did to the source."""

BLOCK = 4
"""The side of a block, in pixels."""

MOST_COLOURS = 4096
"""Up to so many different colours the rarest is kept, by a method whose time grows with their number."""

MOST_SAMPLES, FRAME_SAMPLES = 1 << 18, 1 << 14
"""Pixels that one palette of all frames is made from, and one of a single frame with more than ``MOST_COLOURS``."""

SETTLED = 4
"""Entries move to the mean of their pixels until fewer than a pixel in so many changes its entry: once or twice."""

PALETTES, PALETTE_PIXELS = 8, 1 << 15
"""How many palettes an animation may have, and one more for so many pixels: to make one takes up to 25 ms."""

GAIN = Fidelity(1, 8)
"""What makes another palette worth while."""

NEARLY = 3
"""How far from opaque, or from nothing, alpha is taken for it."""

SEEN = [0] * 128 + [255] * 128
"""Alpha to what a GIF shows of it: its pixel is seen or not."""

CELL = 0xFC
"""The bits of a level by which Pillow looks up a palette's nearest entry."""


@dataclass(frozen=True)
class Palette:
    """Up to 256 entries, the most frequent first.

    Attributes:
        colours: Red, green and blue of each.
        transparent: The entry that is no colour; None where there is none.

    """

    colours: bytes
    transparent: int | None

    def paint(self, image: Image.Image) -> "IndexedImage":
        """Put ``image`` (L, LA, RGB or RGBA) into the palette; not dithered, for noise shimmers."""
        colours = self.colours[:-3] if self.transparent is not None else self.colours
        # Pillow rounds a pixel down before it compares it to an entry: white could become grey. Of equal entries, such
        # as those that fill up the palette, it takes the first.
        rounded = bytes(level & CELL for level in colours)
        lookup = Image.new("P", (1, 1))
        lookup.putpalette(rounded + rounded[:3] * (256 - len(rounded) // 3))
        with quantizing():
            indexed = image.convert("RGB").quantize(palette=lookup, dither=Image.Dither.NONE)
        return self.make_transparent(indexed, image)

    def make_transparent(self, indexed: Image.Image, image: Image.Image) -> "IndexedImage":
        """Make of entries what they show: transparent where ``image`` is, else their colours."""
        if self.transparent is not None and has_transparent_pixels(image):
            indexed.paste(self.transparent, mask=ImageChops.invert(to_visible(image).getchannel("A")))
        indexed.putpalette(self.colours)
        return IndexedImage(indexed, self)


@dataclass(frozen=True)
class IndexedImage:
    """An image whose pixels are entries of a palette."""

    image: Image.Image
    palette: Palette

    @property
    def shown(self) -> Image.Image:
        """What a viewer sees, in RGBA; what is transparent has no colour."""
        entries = [
            self.palette.colours[start : start + 3] + b"\xff" for start in range(0, len(self.palette.colours), 3)
        ]
        if self.palette.transparent is not None:
            entries[self.palette.transparent] = bytes(4)
        coloured = self.image.copy()
        coloured.putpalette(b"".join(entries), "RGBA")
        return coloured.convert("RGBA")


def to_visible(image: Image.Image) -> Image.Image:
    """What a GIF can show of ``image`` (L, LA, RGB or RGBA), in RGBA; what is transparent has no colour."""
    if image.mode not in {"LA", "RGBA"}:
        return image.convert("RGBA")
    shown = Image.new("RGBA", image.size)
    mask = image.getchannel("A").point(SEEN)
    shown.paste(image.convert("RGB"), mask=mask)
    return shown


def has_transparent_pixels(image: Image.Image) -> bool:
    """Whether a GIF shows nothing of some pixels of ``image``."""
    return image.mode in {"LA", "RGBA"} and image.getchannel("A").point(SEEN).getextrema()[0] == 0


def quantize(image: Image.Image, colours: int = 256) -> Image.Image:
    """``image`` (L, LA, RGB or RGBA) in a palette of its own; not dithered, for noise does not compress."""
    if image.mode == "LA":
        made = _quantize_pairs(
            image.getchannel("L"), image.getchannel("A"), [(level,) * 3 for level in range(256)], colours
        )
    elif image.mode != "RGBA":
        return _quantize_opaque(image, colours)
    elif image.getcolors(colours) is not None:
        opaque = _quantize_opaque(image.convert("RGB"), colours)
        entries = list(zip(*[iter(opaque.getpalette() or [])] * 3, strict=True))
        numbers = Image.frombytes("L", image.size, opaque.tobytes())
        made = _quantize_pairs(numbers, image.getchannel("A"), entries, colours)
    else:
        # The octree is the only method that Pillow has for colour with alpha.
        with quantizing():
            made = image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    levels = bytearray(made.getpalette("RGBA") or [])
    # An entry is a mean, in which the edge of what is opaque makes all of it shine through.
    levels[3::4] = bytes(255 if alpha >= 255 - NEARLY else 0 if alpha <= NEARLY else alpha for alpha in levels[3::4])
    made.putpalette(levels, "RGBA")
    return made


def _quantize_pairs(
    numbers: Image.Image, alpha: Image.Image, shades: Sequence[tuple[int, ...]], colours: int
) -> Image.Image:
    """What has one of several shades, by its number, and alpha: two channels that can be reduced as colours are."""
    pairs = _quantize_opaque(Image.merge("RGB", (numbers, alpha, alpha)), colours)
    levels = pairs.getpalette() or []
    entries = [(*shades[number], level) for number, level in zip(levels[::3], levels[1::3], strict=True)]
    pairs.putpalette(bytes(level for entry in entries for level in entry), "RGBA")
    return pairs


def _quantize_opaque(image: Image.Image, colours: int) -> Image.Image:
    found = image.getcolors(MOST_COLOURS)
    # Of fewer colours than entries the one has each once, the other some of them several times.
    is_plain = found is None or len(found) <= colours
    method = Image.Quantize.MEDIANCUT if is_plain else Image.Quantize.MAXCOVERAGE
    settled = max(1, math.prod(image.size) // SETTLED)
    with quantizing():
        return image.quantize(colours, method=method, kmeans=settled, dither=Image.Dither.NONE)


def compare(image: Image.Image, other: Image.Image) -> Fidelity:
    """How near ``other`` is to ``image``; colour that is not seen does not count."""
    mode = "RGBA" if image.mode in {"LA", "RGBA"} else "RGB"
    bands = ImageChops.difference(image.convert(mode), other.convert(mode)).split()
    if mode == "RGBA":
        visible = image.getchannel("A")
        bands = (*(ImageChops.multiply(band, visible) for band in bands[:3]), bands[3])
    histogram = [sum(counts) for counts in zip(*(band.histogram() for band in bands), strict=True)]
    squares = sum(count * level * level for level, count in enumerate(histogram))
    decibels = 10 * math.log10(255 * 255 * sum(histogram) / squares) if squares else math.inf
    size = min(BLOCK, *image.size)
    return Fidelity(decibels, max(max(band.reduce(size).tobytes()) for band in bands))


def to_shared_palette(
    images: Sequence[Image.Image], most: int = MOST_SAMPLES, *, has_transparent: bool
) -> list[IndexedImage]:
    """Images of one size (L, LA, RGB or RGBA) in one palette, made from no more than ``most`` of their pixels."""
    opaque = [image.convert("RGB") for image in images]
    sample = _sample(opaque, most)
    quantized = _quantize_opaque(sample, 255 if has_transparent else 256)
    entries = list(zip(*[iter(quantized.getpalette() or [])] * 3, strict=True))
    counts = quantized.histogram()
    frequent = sorted((entry for entry in range(len(entries)) if counts[entry]), key=lambda entry: -counts[entry])
    places = {colour: place for place, colour in enumerate(dict.fromkeys(entries[entry] for entry in frequent))}
    colours = bytes(level for colour in places for level in colour)
    palette = Palette(colours + bytes(3), len(places)) if has_transparent else Palette(colours, None)
    width, height = images[0].size
    if sample.size != (width, height * len(images)):
        return [palette.paint(image) for image in images]
    # Each pixel's entry is known, exactly.
    ranked = quantized.point([places.get(entry, 0) for entry in entries] + [0] * (256 - len(entries)))
    tops = range(0, ranked.height, height)
    return [
        palette.make_transparent(ranked.crop((0, top, width, top + height)), image)
        for top, image in zip(tops, images, strict=True)
    ]


def to_scene_palettes(images: Sequence[Image.Image]) -> list[IndexedImage]:
    """Frames of one size (L, LA, RGB or RGBA) in one palette where that is near enough, else in one for each scene.

    Each palette of several frames has a transparent entry.
    """
    frames = to_shared_palette(images, has_transparent=len(images) > 1 or has_transparent_pixels(images[0]))
    left = PALETTES + len(images) * math.prod(images[0].size) // PALETTE_PIXELS
    scene: Palette | None = None
    bound, before = FAITHFUL, math.inf
    for index, image in enumerate(images if len(images) > 1 else ()):
        shared = frames[index]
        if scene is not None:
            frames[index] = scene.paint(image)
        elif left <= 0:
            break
        wanted = to_visible(image) if has_transparent_pixels(image) else image.convert("RGB")
        got = compare(wanted, frames[index].shown)
        if abs(got.decibels - before) > GAIN.decibels:
            # Something else is shown.
            bound = FAITHFUL
        before = got.decibels
        if got.reaches(bound):
            continue
        if left > 0:
            left -= 1
            (own,) = to_shared_palette([image], FRAME_SAMPLES, has_transparent=True)
            reached = compare(wanted, own.shown)
            # No palette is nearer than the frame's own.
            decibels, block = reached.decibels - GAIN.decibels, reached.block + GAIN.block
            bound = Fidelity(min(bound.decibels, decibels), max(bound.block, block))
            if not got.reaches(bound):
                scene, frames[index], before = own.palette, own, reached.decibels
        elif compare(wanted, shared.shown).decibels > got.decibels:
            scene, frames[index] = None, shared
    return frames


def _sample(images: Sequence[Image.Image], most: int) -> Image.Image:
    """The images, one below the other; smaller where they have more than ``most`` pixels, but one of few colours."""
    width, height = images[0].size
    share = math.sqrt(most / (width * height * len(images)))
    if share >= 1 or (len(images) == 1 and images[0].getcolors(MOST_COLOURS) is not None):
        return stack(images)
    size = max(1, round(share * width)), max(1, round(share * height))
    # Picked, not averaged: those would be new colours.
    return stack([image.resize(size, Image.Resampling.NEAREST) for image in images])


def stack(images: Sequence[Image.Image]) -> Image.Image:
    """Images of one mode and size as one, one below the other."""
    width, height = images[0].size
    stack = Image.new(images[0].mode, (width, height * len(images)))
    for row, image in enumerate(images):
        stack.paste(image, (0, row * height))
    return stack
