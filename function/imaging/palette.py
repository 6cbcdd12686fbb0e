"""Quantizes images to palettes, and measures the loss."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageChops

from imaging.pillow import quantizing

Part = tuple[int, int, int, int]
"""Left, top, right and bottom edge."""


class Fidelity(NamedTuple):
    """The similarity of two images.

    Attributes:
        decibels: Peak signal-to-noise ratio of the whole image; infinite for equal images.
        block: Mean error of the worst block, 0 to 255. The ratio hardly changes if a small area loses its colour.

    """

    decibels: float
    block: int

    def is_at_least(self, bound: "Fidelity") -> bool:
        """Tell whether it is at least as good as ``bound``."""
        return self.decibels >= bound.decibels and self.block <= bound.block


FAITHFUL = Fidelity(40, 16)
"""A palette at least as similar as this has no visible error."""

TOLERABLE = Fidelity(30, 16)
"""Enough if the output would be larger without a palette: about the fidelity of the source's own palette."""

BLOCK = 4
"""Width and height of a block, in pixels."""

MOST_COLOURS = 4096
"""Most colours for Pillow's MAXCOVERAGE method, which keeps rare colours. Its time grows with their number."""

MOST_SAMPLES, FRAME_SAMPLES = 1 << 18, 1 << 14
"""Pixels to sample for a palette of all frames, and for one of a single frame with more than ``MOST_COLOURS``."""

MOST_PIXELS = (2**32 - 1) // 255
"""The most pixels to quantize at once. Pillow sums the levels of an entry's pixels in 32 bits. If a sum overflows,
white becomes another colour, and k-means may never end."""

SETTLED = 4
"""k-means iterations stop when less than a quarter of the pixels change their palette entry: after one or two."""

PALETTES, PALETTE_PIXELS = 8, 1 << 15
"""An animation may have 8 palettes, and one more for each 32,768 pixels of its frames. Each takes up to 25 ms."""

GAIN = Fidelity(1, 8)
"""The improvement that justifies another palette."""

ALPHA_TOLERANCE = 3
"""Alpha this close to opaque or transparent is rounded to it."""

BINARY_ALPHA = [0] * 128 + [255] * 128
"""Maps alpha to a GIF's: opaque or transparent."""

CELL = 0xFC
"""Pillow finds the nearest palette entry by these bits of each level."""


class Palette(NamedTuple):
    """A palette of up to 256 entries, the most frequent first.

    Attributes:
        colours: Red, green and blue of each entry.
        transparent: Index of the transparent entry, if any.

    """

    colours: bytes
    transparent: int | None

    def apply(self, image: Image.Image) -> "IndexedImage":
        """Map ``image`` (L, LA, RGB or RGBA) to the palette, without dithering, whose noise would flicker."""
        colours = self.colours[:-3] if self.transparent is not None else self.colours
        # Pillow rounds each pixel down before it compares it to the entries, so white could become grey. Of equal
        # entries, such as those that fill up the palette, it takes the first.
        rounded = bytes(level & CELL for level in colours)
        lookup = Image.new("P", (1, 1))
        lookup.putpalette(rounded + rounded[:3] * (256 - len(rounded) // 3))
        with quantizing():
            indexed = image.convert("RGB").quantize(palette=lookup, dither=Image.Dither.NONE)
        return self.attach(indexed, image)

    def attach(self, indexed: Image.Image, image: Image.Image) -> "IndexedImage":
        """Give indexed pixels this palette, and make those transparent that are transparent in ``image``."""
        if self.transparent is not None and has_transparent_pixels(image):
            indexed.paste(self.transparent, mask=ImageChops.invert(to_visible(image).getchannel("A")))
        indexed.putpalette(self.colours)
        return IndexedImage(indexed, self)


class IndexedImage(NamedTuple):
    """An image whose pixels are indices into a palette."""

    image: Image.Image
    palette: Palette

    @property
    def shown(self) -> Image.Image:
        """The image in RGBA. Transparent pixels are black."""
        entries = [
            self.palette.colours[start : start + 3] + b"\xff" for start in range(0, len(self.palette.colours), 3)
        ]
        if self.palette.transparent is not None:
            entries[self.palette.transparent] = bytes(4)
        coloured = self.image.copy()
        coloured.putpalette(b"".join(entries), "RGBA")
        return coloured.convert("RGBA")


def to_visible(image: Image.Image) -> Image.Image:
    """Return ``image`` (L, LA, RGB or RGBA) in RGBA as a GIF can show it: opaque, or transparent and black."""
    if image.mode not in {"LA", "RGBA"}:
        return image.convert("RGBA")
    shown = Image.new("RGBA", image.size)
    mask = image.getchannel("A").point(BINARY_ALPHA)
    shown.paste(image.convert("RGB"), mask=mask)
    return shown


def has_transparent_pixels(image: Image.Image) -> bool:
    """Tell whether a GIF of ``image`` needs a transparent entry."""
    return image.mode in {"LA", "RGBA"} and image.getchannel("A").point(BINARY_ALPHA).getextrema()[0] == 0


def quantize(image: Image.Image, colours: int = 256) -> Image.Image:
    """Convert ``image`` (L, LA, RGB or RGBA) to a palette, without dithering, whose noise does not compress."""
    if image.mode == "LA":
        greys = [(level,) * 3 for level in range(256)]
        quantized = _quantize_pairs(image.getchannel("L"), image.getchannel("A"), greys, colours)
    elif image.mode != "RGBA":
        return _quantize_opaque(image, colours)
    elif image.getcolors(colours) is not None:
        opaque = _quantize_opaque(image.convert("RGB"), colours)
        indices = Image.frombytes("L", image.size, opaque.tobytes())
        quantized = _quantize_pairs(indices, image.getchannel("A"), _read_palette(opaque), colours)
    else:
        # Pillow's only method for colour with alpha is the octree.
        with quantizing():
            quantized = image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    levels = bytearray(quantized.getpalette("RGBA") or [])
    # An entry is the mean of its pixels, so pixels of an edge would make the whole opaque area translucent.
    levels[3::4] = bytes(
        255 if alpha >= 255 - ALPHA_TOLERANCE else 0 if alpha <= ALPHA_TOLERANCE else alpha for alpha in levels[3::4]
    )
    quantized.putpalette(levels, "RGBA")
    return quantized


def _quantize_pairs(
    indices: Image.Image, alpha: Image.Image, palette: Sequence[tuple[int, ...]], colours: int
) -> Image.Image:
    """Quantize pairs of a palette index and an alpha level, as if they were channels of a colour."""
    pairs = _quantize_opaque(Image.merge("RGB", (indices, alpha, alpha)), colours)
    entries = [(*palette[index], level) for index, level, _ in _read_palette(pairs)]
    pairs.putpalette(bytes(level for entry in entries for level in entry), "RGBA")
    return pairs


def _quantize_opaque(image: Image.Image, colours: int) -> Image.Image:
    if math.prod(image.size) > MOST_PIXELS:
        size = (-(-image.width // 2), -(-image.height // 2))
        entries = _quantize_opaque(image.resize(size, Image.Resampling.NEAREST), colours).getpalette() or []
        return Palette(bytes(entries), None).apply(image).image
    found = image.getcolors(MOST_COLOURS)
    # For fewer colours than entries, MEDIANCUT gives each colour one entry, and MAXCOVERAGE gives some of them several.
    has_rare_colours = found is not None and len(found) > colours
    method = Image.Quantize.MAXCOVERAGE if has_rare_colours else Image.Quantize.MEDIANCUT
    settled = max(1, math.prod(image.size) // SETTLED)
    with quantizing():
        return image.quantize(colours, method=method, kmeans=settled, dither=Image.Dither.NONE)


def _read_palette(image: Image.Image) -> list[tuple[int, ...]]:
    return list(zip(*[iter(image.getpalette() or [])] * 3, strict=True))


def compare(image: Image.Image, other: Image.Image, part: Part | None = None) -> Fidelity:
    """Measure how similar ``other`` is to ``image``. The colour of transparent pixels does not count.

    Only ``part`` counts, if it is given: padding has no error, and would hide the error of a small picture.
    """
    if part is not None:
        image, other = image.crop(part), other.crop(part)
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
    """Convert images of one size (L, LA, RGB or RGBA) to one palette, made from at most ``most`` of their pixels."""
    sample = _sample(images, most)
    quantized = _quantize_opaque(sample, 255 if has_transparent else 256)
    entries, counts = _read_palette(quantized), quantized.histogram()
    by_frequency = sorted((index for index in range(len(entries)) if counts[index]), key=lambda index: -counts[index])
    indices = {colour: index for index, colour in enumerate(dict.fromkeys(entries[index] for index in by_frequency))}
    colours = bytes(level for colour in indices for level in colour)
    palette = Palette(colours + bytes(3), len(indices)) if has_transparent else Palette(colours, None)
    width, height = images[0].size
    if sample.size != (width, height * len(images)):
        return [palette.apply(image) for image in images]
    # The sample is all of the images, so every pixel is quantized already.
    ranked = quantized.point([indices.get(entry, 0) for entry in entries] + [0] * (256 - len(entries)))
    return [
        palette.attach(ranked.crop((0, top, width, top + height)), image)
        for top, image in zip(range(0, ranked.height, height), images, strict=True)
    ]


def to_scene_palettes(images: Sequence[Image.Image], part: Part | None = None) -> list[IndexedImage]:
    """Convert frames of one size (L, LA, RGB or RGBA) to one palette if that is faithful, else to one for each scene.

    A scene begins with a frame that the current palette shows badly. Its own palette then serves the frames after it.
    If there are several frames, each palette has a transparent entry. Only ``part`` is compared.
    """
    frames = to_shared_palette(images, has_transparent=len(images) > 1 or has_transparent_pixels(images[0]))
    if len(images) == 1:
        return frames
    palettes_left = PALETTES + len(images) * math.prod(images[0].size) // PALETTE_PIXELS
    scene: Palette | None = None
    bound, decibels_before = FAITHFUL, math.inf
    for index, image in enumerate(images):
        shared = frames[index]
        if scene is not None:
            frames[index] = scene.apply(image)
        elif palettes_left <= 0:
            break
        wanted = to_visible(image) if has_transparent_pixels(image) else image.convert("RGB")
        found = compare(wanted, frames[index].shown, part)
        if abs(found.decibels - decibels_before) > GAIN.decibels:
            # The picture changed, so the earlier frames' bound does not apply.
            bound = FAITHFUL
        decibels_before = found.decibels
        if found.is_at_least(bound):
            continue
        if palettes_left > 0:
            palettes_left -= 1
            (own,) = to_shared_palette([image], FRAME_SAMPLES, has_transparent=True)
            best = compare(wanted, own.shown, part)
            # No palette does better than the frame's own.
            decibels, block = best.decibels - GAIN.decibels, best.block + GAIN.block
            bound = Fidelity(min(bound.decibels, decibels), max(bound.block, block))
            if not found.is_at_least(bound):
                scene, frames[index], decibels_before = own.palette, own, best.decibels
        elif compare(wanted, shared.shown, part).decibels > found.decibels:
            scene, frames[index] = None, shared
    return frames


def _sample(images: Sequence[Image.Image], most: int) -> Image.Image:
    """Stack the colours of images; if there are too many pixels, scale them down, except one image of few colours."""
    width, height = images[0].size
    share = math.sqrt(most / (width * height * len(images)))
    is_whole = share >= 1 or (len(images) == 1 and images[0].convert("RGB").getcolors(MOST_COLOURS) is not None)
    size = (width, height) if is_whole else (max(1, round(share * width)), max(1, round(share * height)))
    # Averaged pixels would have new colours. Frames in full size take much more memory than a sample of them.
    return stack([image.resize(size, Image.Resampling.NEAREST).convert("RGB") for image in images])


def stack(images: Sequence[Image.Image]) -> Image.Image:
    """Join images of one mode and size into one image, from top to bottom."""
    width, height = images[0].size
    stacked = Image.new(images[0].mode, (width, height * len(images)))
    for row, image in enumerate(images):
        stacked.paste(image, (0, row * height))
    return stacked
