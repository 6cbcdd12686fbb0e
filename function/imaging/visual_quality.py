"""Finds the quality at which an encoder reaches a target SSIMULACRA2, with trials on a sample of the image."""

import bisect
import io
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from PIL import Image, ImageChops

from imaging.pillow import proving
from imaging.records import Job, Write
from imaging.ssimulacra2 import Reference, list_values

TILE, MARGIN, TILES, ACROSS = 80, 8, 81, 9
"""The side of a sample's tiles in pixels, the width of the margin encoded around each, and how many tiles there are, in
all and in a row. A tile holds whole blocks of five pixels at each scale."""

PADDED = TILE + 2 * MARGIN
"""The side of a tile with its margins: a multiple of 16 pixels, as in a JPEG's grid."""

SAMPLE_PIXELS = TILES * PADDED**2
"""The most pixels that a trial encodes."""

PIXEL_BYTES, SAMPLE_PIXEL_BYTES, SAMPLE_PIXEL_NANOSECONDS = 4, 80, 60
"""What a search takes beside encoding: memory for each pixel of the image and of its sample; time for each pixel of a
trial."""

LEAST_CHANCE = 0.1
"""The chance that a tile without detail is in the sample; that of an average tile is one more."""

MOST_TRIALS, MOST_ENCODES = 5, 3
"""How often a sample is encoded at most, and then the whole image. Two or three times, and then once, are usual."""

LEAST_SIDE, LONGEST_STRIP = PADDED, 3000
"""A narrower image is repeated to this side before it is scored. If it is longer, it has no score."""

LEAST_QUALITY, MOST_QUALITY = 10, 95
"""The range of the search. Above it, files grow much, and look the same."""

SCORE_PER_QUALITY, LEAST_SLOPE = 0.6, 0.3
"""By how much the score grows with the quality, until it is measured; and the least that a measurement may tell."""

MOST_STEP = 20
"""The largest step of quality, since scores grow faster in low qualities."""

NEAR = 0.5
"""The distance from the target at which a trial ends the search."""

NEAREST = Image.Resampling.NEAREST


class Tiles(NamedTuple):
    """The parts of an image that are compared.

    Attributes:
        boxes: Each with its margins; none to compare all of the image.
        shares: The share of the image that each stands for.

    """

    boxes: Sequence[tuple[int, int, int, int]] = ()
    shares: Sequence[float] = (1.0,)

    def cut(self, image: Image.Image) -> Image.Image:
        """Return the tiles with their margins, in a grid to be encoded."""
        if not self.boxes:
            return image
        grid = Image.new(image.mode, (ACROSS * PADDED, len(self.boxes) // ACROSS * PADDED))
        for index, box in enumerate(self.boxes):
            grid.paste(image.crop(box), (index % ACROSS * PADDED, index // ACROSS * PADDED))
        return grid

    def stack(self, grid: Image.Image) -> Image.Image:
        """Return the tiles of ``cut`` below each other, without margins, and over grey if they are transparent."""
        if "A" in grid.getbands():
            grid = Image.alpha_composite(Image.new("RGBA", grid.size, "grey"), grid.convert("RGBA"))
        if not self.boxes:
            return _repeat(grid)
        stack = Image.new(grid.mode, (TILE, TILE * len(self.boxes)))
        for index in range(len(self.boxes)):
            left, top = index % ACROSS * PADDED + MARGIN, index // ACROSS * PADDED + MARGIN
            stack.paste(grid.crop((left, top, left + TILE, top + TILE)), (0, index * TILE))
        return stack


def choose_tiles(image: Image.Image) -> Tiles:
    """Return tiles of an image of more than SAMPLE_PIXELS, whose sides have LEAST_SIDE or more; always the same.

    Tiles with detail are likelier to be chosen, and then stand for less of the image: detail decides the score.
    """
    if math.prod(image.size) <= SAMPLE_PIXELS:
        return Tiles()
    across, down = ((side - 2 * MARGIN) // TILE for side in image.size)
    details = list_values(_find_details(image, (across, down)))
    average = sum(details) / len(details) or 1
    chances = [math.sqrt(detail / average) + LEAST_CHANCE for detail in details]
    chosen = _choose(chances)
    corners = [(tile % across * TILE, tile // across * TILE) for tile in chosen]
    total = sum(1 / chances[tile] for tile in chosen)
    return Tiles(
        [(left, top, left + PADDED, top + PADDED) for left, top in corners],
        [1 / chances[tile] / total for tile in chosen],
    )


def _find_details(image: Image.Image, tiles: tuple[int, int]) -> Image.Image:
    """Return the mean contrast of neighbours in each tile, among every second pixel of every second row."""
    grey = image.resize((image.width // 2, image.height // 2), NEAREST).convert("L")
    across, down = (ImageChops.difference(grey, ImageChops.offset(grey, *step)) for step in ((1, 0), (0, 1)))
    margin, side = MARGIN // 2, TILE // 2
    box = margin, margin, margin + tiles[0] * side, margin + tiles[1] * side
    return ImageChops.lighter(across, down).crop(box).convert("F").reduce(side)


def _choose(chances: Sequence[float]) -> list[int]:
    """Return TILES indices, at equal steps of the sum of all chances in ascending order; a likely one may repeat."""
    ascending = sorted(range(len(chances)), key=chances.__getitem__)
    sums = list(itertools.accumulate(chances[index] for index in ascending))
    steps = ((index + 0.5) / TILES * sums[-1] for index in range(TILES))
    return [ascending[bisect.bisect(sums, step)] for step in steps]


def _has_score(image: Image.Image) -> bool:
    return min(image.size) >= LEAST_SIDE or max(image.size) <= LONGEST_STRIP


def _repeat(image: Image.Image) -> Image.Image:
    """Mirror a narrow image beside itself, until it has LEAST_SIDE."""
    while min(image.size) < LEAST_SIDE:
        is_tall = image.width < image.height
        flip = Image.Transpose.FLIP_LEFT_RIGHT if is_tall else Image.Transpose.FLIP_TOP_BOTTOM
        end = (image.width, 0) if is_tall else (0, image.height)
        repeated = Image.new(image.mode, (image.width + end[0], image.height + end[1]))
        repeated.paste(image)
        repeated.paste(image.transpose(flip), end)
        image = repeated
    return image


def compare(wanted: Image.Image, shown: Image.Image) -> float | None:
    """Return about the SSIMULACRA2 of an image of the size of the one that was wanted; None if that is too narrow."""
    if not _has_score(wanted):
        return None
    tiles = choose_tiles(wanted)
    reference, other = (tiles.stack(tiles.cut(image)) for image in (wanted, shown))
    return Reference(reference, tiles.shares).score(other)


def bytes_for(pixels: int) -> int:
    """Return the most memory that a search in an image of this many pixels holds, beside its encoder."""
    return PIXEL_BYTES * pixels + SAMPLE_PIXEL_BYTES * min(pixels, SAMPLE_PIXELS)


def nanoseconds_for(pixels: int, once: float) -> float:
    """Return the most time of a search in an image of this many pixels, which is encoded once in ``once``."""
    sampled = min(pixels, SAMPLE_PIXELS)
    trial = 2 * once * sampled / pixels + SAMPLE_PIXEL_NANOSECONDS * sampled
    return MOST_TRIALS * trial + (MOST_ENCODES * once if pixels > sampled else 0)


def reach_score(job: Job, write: Write) -> bytes:
    """Write at the quality at which the first frame comes nearest to the rendition's score.

    Raises:
        RejectedError: UNFAITHFUL: the encoder fails.

    """
    target, image = job.rendition.ssimulacra2 or 0, job.crop(job.images[0])
    quality = _limit(job.quality_of_score_70 + (target - 70) / SCORE_PER_QUALITY)
    if not _has_score(image):
        return write(job.images, quality)
    tiles = choose_tiles(image)
    sample = tiles.cut(image)
    reference = Reference(tiles.stack(sample), tiles.shares)

    def try_sample(quality: int) -> float:
        return reference.score(tiles.stack(_decode(job, write([sample], quality))))

    def try_whole(quality: int) -> float:
        bodies[quality] = write(job.images, quality)
        return reference.score(tiles.stack(tiles.cut(job.crop(_decode(job, bodies[quality])))))

    bodies: dict[int, bytes] = {}
    if tiles.boxes:
        quality = _search(try_sample, quality, target, MOST_TRIALS)
    # Encoders adapt to the whole image, so its tiles may not score as they do alone.
    most = MOST_TRIALS if math.prod(job.images[0].size) <= SAMPLE_PIXELS else MOST_ENCODES
    return bodies[_search(try_whole, quality, target, most)]


def _decode(job: Job, body: bytes) -> Image.Image:
    with proving(job.format):
        image = Image.open(io.BytesIO(body), formats=(job.format,))
        image.load()
    return image


def _search(score: Callable[[int], float], first: int, target: float, most: int) -> int:
    """Return the quality that scored nearest to the target, of at most ``most``, each interpolated from the others."""
    quality, scores = first, dict[int, float]()
    while quality not in scores and len(scores) < most:
        scores[quality] = score(quality)
        if abs(scores[quality] - target) < NEAR:
            break
        near, far = _find_neighbours(scores, target)
        slope = max(LEAST_SLOPE, (scores[far] - scores[near]) / (far - near)) if near != far else SCORE_PER_QUALITY
        quality = _limit(near + max(-MOST_STEP, min(MOST_STEP, (target - scores[near]) / slope)))
    return min(scores, key=lambda tried: abs(scores[tried] - target))


def _find_neighbours(scores: Mapping[int, float], target: float) -> tuple[int, int]:
    """Return the qualities that scored nearest below the target and above; if all are on one side, the nearest two."""
    below = sorted((quality for quality in scores if scores[quality] < target), key=scores.__getitem__)
    above = sorted((quality for quality in scores if scores[quality] >= target), key=scores.__getitem__)
    if below and above:
        return below[-1], above[0]
    return (below[-1], below[-2:][0]) if below else (above[0], above[:2][-1])


def _limit(quality: float) -> int:
    return max(LEAST_QUALITY, min(MOST_QUALITY, round(quality)))
