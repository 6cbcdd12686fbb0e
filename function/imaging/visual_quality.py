"""Finds the quality at which an encoder reaches a target SSIMULACRA2, with trials on a sample of the image."""

import bisect
import io
import itertools
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops, ImageMath

from imaging.pillow import proving
from imaging.records import Job, Write

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

LUMA, RED_GREEN, BLUE = "luma", "red-green", "blue"

WEIGHTS = {
    (LUMA, 0): (0, 7.4669, 0, 17.4458),
    (LUMA, 1): (0, 6.6837, 0, 0),
    (LUMA, 2): (225.2052, 19.2132, 0, 0),
    (LUMA, 3): (176.3932, 24.4330, 0, 0),
    (LUMA, 4): (0, 34.7791, 44.8356, 0),
    (RED_GREEN, 1): (0, 1.1042, 0, 0),
    (RED_GREEN, 2): (0, 1.8422, 11.4412, 0),
    (RED_GREEN, 3): (0, 1.8788, 10.9491, 0),
    (BLUE, 3): (0, 8.8270, 23.1924, 0),
    (BLUE, 4): (95.1080, 0, 171.2667, 0),
}
"""For each channel and number of halvings: the weights of the mean and of the fourth norm of the structural error, and
of the fourth norms of added and of lost edges. SSIMULACRA2 2.1 has 108 weights; the others hardly change a score.

Source: tools/ssimulacra2.cc of github.com/cloudinary/ssimulacra2, BSD-3-Clause."""

WHOLE_GAIN, SAMPLE_GAIN = 1.014, 1.048
"""By how much errors are larger than measured here, in a whole image and in a sample, whose seams hide some: the median
of many images, in docs/images.md."""

LINEAR = [value / 3294.6 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in range(256)]
"""The intensity of each value of sRGB (IEC 61966-2-1)."""

LONG, MEDIUM, SHORT = (0.3, 0.622, 0.078), (0.23, 0.692, 0.078), (0.2434226892, 0.2047674442, 0.5518098666)
BIAS = 0.0037930732552754493
"""How much red, green and blue the eye's three kinds of cones absorb, and a constant (JPEG XL, ISO/IEC 18181-1)."""

STABILITY = 0.0009
"""C2 of the structural similarity."""

BLOCK = 5

NEAREST = Image.Resampling.NEAREST

evaluate: Callable[..., Image.Image] = ImageMath.lambda_eval


@dataclass(frozen=True)
class Channel:
    """What is measured of one channel of the reference at one scale; images of mode F.

    Attributes:
        values: The channel, less ``level``.
        level: The mean of each tile. Without it, tiles have smaller seams.
        mean: The local mean of each block of ``values``.
        variance: The local variance of each block.
        edges: 1 and the distance of each value from its local mean.

    """

    values: Image.Image
    level: Image.Image
    mean: Image.Image
    variance: Image.Image
    edges: Image.Image


class Reference:
    """An image whose encoded versions are scored, by the error at the centre of each block of five pixels."""

    def __init__(self, image: Image.Image, shares: Sequence[float] = (1.0,)) -> None:
        """Measure ``image``: tiles of one height, below each other, that stand for these shares of the whole."""
        self._shares = shares
        self._gain = WHOLE_GAIN if len(shares) == 1 else SAMPLE_GAIN
        self._channels = {place: self._measure(plane) for place, plane in _split(image)}

    def score(self, shown: Image.Image) -> float:
        """Return about the SSIMULACRA2 of an encoded version: 100 is equal, 70 high quality, 50 medium quality."""
        error = sum(self._compare(place, plane) for place, plane in _split(shown)) * self._gain * 0.9562382616834844
        # From errors to scores, as SSIMULACRA2 has it.
        loss = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
        return float(100 - 10 * max(0.0, loss) ** 0.6276336467831387)

    def _measure(self, plane: Image.Image) -> Channel:
        level = plane.reduce((plane.width, plane.height // len(self._shares))).resize(plane.size, NEAREST)
        values = evaluate(lambda of: of["plane"] - of["level"], plane=plane, level=level)
        mean = _blur(values)
        variance = evaluate(
            lambda of: of["squares"] - of["mean"] * of["mean"], squares=_blur(_multiply(values, values)), mean=mean
        )
        return Channel(values, level, mean, variance, _find_edges(values))

    def _compare(self, place: tuple[str, int], plane: Image.Image) -> float:
        """Return the weighted sum of the errors of a channel at a scale."""
        reference = self._channels[place]
        structure_mean, structure_tail, added_tail, lost_tail = WEIGHTS[place]
        values = evaluate(lambda of: of["plane"] - of["level"], plane=plane, level=reference.level)
        structure = self._find_structural_error(reference, values)
        error = structure_mean * self._average(structure) + structure_tail * self._average_tail(structure)
        if added_tail or lost_tail:
            edges = _find_edges(values)
            change = evaluate(lambda of: of["one"] / of["other"] - 1.0, one=edges, other=reference.edges)
            error += added_tail * self._average_tail(evaluate(lambda of: of["max"](of["change"], 0.0), change=change))
            error += lost_tail * self._average_tail(evaluate(lambda of: of["min"](of["change"], 0.0), change=change))
        return error

    @staticmethod
    def _find_structural_error(reference: Channel, values: Image.Image) -> Image.Image:
        """Return 1 less the structural similarity of each block."""

        def compute(of: dict[str, Any]) -> Any:
            mean, other = of["mean"], of["other"]
            variances = of["variance"] + of["squares"] - other * other
            covariance = of["products"] - mean * other
            likeness = (1.0 - (mean - other) * (mean - other)) * (2.0 * covariance + STABILITY)
            return of["max"](1.0 - likeness / (variances + STABILITY), 0.0)

        return evaluate(
            compute,
            mean=reference.mean,
            variance=reference.variance,
            other=_blur(values),
            squares=_blur(_multiply(values, values)),
            products=_blur(_multiply(values, reference.values)),
        )

    def _average(self, errors: Image.Image) -> float:
        tiles = errors.reduce((errors.width, errors.height // len(self._shares)))
        return sum(share * error for share, error in zip(self._shares, _list(tiles), strict=True))

    def _average_tail(self, errors: Image.Image) -> float:
        """Return the fourth norm, which the largest errors decide."""
        squares = _multiply(errors, errors)
        return float(self._average(_multiply(squares, squares)) ** 0.25)


def _split(image: Image.Image) -> Iterator[tuple[tuple[str, int], Image.Image]]:
    """Yield the channels of WEIGHTS of an image: an opponent colour space, whose scales are halved in linear light."""
    linear = [band.point(LINEAR, "F") for band in image.convert("RGB").split()]
    for scale in range(1 + max(scale for _, scale in WEIGHTS)):
        if scale == 0:
            # Half the work: the mean of both cones' weights comes near the mean of their responses.
            yield (LUMA, 0), _respond(linear, [(one + other) / 2 for one, other in zip(LONG, MEDIUM, strict=True)])
            continue
        linear = [band.reduce(2) for band in linear]
        long, medium = _respond(linear, LONG), _respond(linear, MEDIUM)
        luma = evaluate(lambda of: (of["long"] + of["medium"]) * 0.5, long=long, medium=medium)
        yield (LUMA, scale), luma
        if (RED_GREEN, scale) in WEIGHTS:
            yield (RED_GREEN, scale), evaluate(lambda of: (of["long"] - of["medium"]) * 7.0, long=long, medium=medium)
        if (BLUE, scale) in WEIGHTS:
            yield (BLUE, scale), evaluate(lambda of: of["short"] - of["luma"], short=_respond(linear, SHORT), luma=luma)


def _respond(linear: Sequence[Image.Image], weights: Sequence[float]) -> Image.Image:
    """Return the response of a cone of the eye: the cube root of what it absorbs."""
    red, green, blue = weights
    return evaluate(
        lambda of: (of["red"] * red + of["green"] * green + of["blue"] * blue + BIAS) ** (1 / 3),
        red=linear[0],
        green=linear[1],
        blue=linear[2],
    )


def _list(plane: Image.Image) -> list[float]:
    return array("f", plane.tobytes()).tolist()


def _multiply(one: Image.Image, other: Image.Image) -> Image.Image:
    return evaluate(lambda of: of["one"] * of["other"], one=one, other=other)


def _blur(plane: Image.Image) -> Image.Image:
    """Return the local mean at the centre of each block. The window is nearly a Gaussian of deviation 1.5."""
    across, down = (side // BLOCK for side in plane.size)
    return plane.resize((across, down), Image.Resampling.HAMMING, box=(0, 0, across * BLOCK, down * BLOCK))


def _find_edges(values: Image.Image) -> Image.Image:
    """Return 1 and the distance of each pixel from its local mean."""
    mean = values.reduce(3).resize(
        values.size, Image.Resampling.BILINEAR, box=(0, 0, values.width / 3, values.height / 3)
    )
    return evaluate(lambda of: abs(of["values"] - of["mean"]) + 1.0, values=values, mean=mean)


@dataclass(frozen=True)
class Tiles:
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
    details = _list(_find_details(image, (across, down)))
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
    target, image = job.rendition.ssimulacra2 or 0, job.images[0]
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
        return reference.score(tiles.stack(tiles.cut(_decode(job, bodies[quality]))))

    bodies: dict[int, bytes] = {}
    if tiles.boxes:
        quality = _search(try_sample, quality, target, MOST_TRIALS)
    # Encoders adapt to the whole image, so its tiles may not score as they do alone.
    return bodies[_search(try_whole, quality, target, MOST_ENCODES if tiles.boxes else MOST_TRIALS)]


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
