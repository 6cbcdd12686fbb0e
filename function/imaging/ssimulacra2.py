"""Scores an encoded image by the parts of SSIMULACRA2 whose weights matter, with Pillow alone."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from PIL import Image, ImageMath

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


class Channel(NamedTuple):
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
        return sum(share * error for share, error in zip(self._shares, list_values(tiles), strict=True))

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


def list_values(plane: Image.Image) -> list[float]:
    """Return the values of an image of mode F, row by row."""
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
