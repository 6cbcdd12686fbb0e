"""Finds what a cropped output keeps: the uploader's point, regions in XMP, or the part with the most detail."""

import math
import re
from collections.abc import Iterator, Sequence

from PIL import Image, ImageChops, ImageFilter

from imaging import xmp
from imaging.colour import WIDE, WITH_ALPHA, to_eight_bits
from imaging.metadata import Metadata
from imaging.records import MIRRORING_ACROSS, MIRRORING_DOWN, SWAPPING, UPRIGHT, Frame
from renditions import CENTRE, Focus, Point, Rendition

POINT = re.compile(r"([01]|[01]?\.[0-9]{1,20}) ?, ?([01]|[01]?\.[0-9]{1,20})")
"""Two fractions of 1."""

REGIONS, AREA = "http://www.metadataworkinggroup.com/schemas/regions/", "http://ns.adobe.com/xmp/sType/Area#"
"""Namespaces of regions and of their places (Metadata Working Group, Guidelines 2.0, 5.9)."""

KINDS = frozenset({"Face", "Focus"})
"""The types of regions that count."""

SAMPLES, SIDE = 256, 64
"""The longer side in pixels of the sample of an image, and of the averaged copy of it that is searched for detail."""

LEAST_SIDE = 3
"""The pixels that each side of the averaged copy has at least: with fewer, the filter for edges would leave none."""

DETAIL_TOLERANCE = 1e-6
"""Parts whose detail differs by less are equal: the middle one counts."""


def parse(text: str) -> Point | None:
    """Read a point such as ``0.3,0.7``; return None if it is none, or is outside of the image."""
    found = POINT.fullmatch(text.strip())
    point = (float(found[1]), float(found[2])) if found else (math.nan, math.nan)
    return point if all(0 <= share <= 1 for share in point) else None


def find_all(metadata: Metadata, frame: Frame, renditions: Sequence[Rendition], given: Point | None) -> list[Point]:
    """Return the point that each rendition keeps.

    Args:
        metadata: The source's.
        frame: The first frame, as decoded.
        renditions: Each states its crop and its focus.
        given: The uploader's point, which counts more than XMP.

    """
    # XMP may have thousands of regions.
    is_read = given is None and any(rendition.focus == Focus.METADATA for rendition in renditions)
    named = (read_regions(metadata) if is_read else given) or CENTRE
    points = {Focus.CENTER: CENTRE, Focus.METADATA: named}
    return [points.get(Focus(one.focus)) or _find_detail(frame, one) for one in renditions]


def read_regions(metadata: Metadata) -> Point | None:
    """Return the mean of the faces and focus areas in XMP, as displayed; None if there are none.

    Places are those of the pixels as stored: writers leave them when they change the orientation.
    """
    regions = metadata.packet.properties.get((REGIONS, "Regions"))
    if not isinstance(regions, xmp.Element):
        return None
    points = [point for region in _list_regions(regions) if (point := _read_region(region)) is not None]
    if not points:
        return None
    across, down = (math.fsum(values) / len(points) for values in zip(*points, strict=True))
    turn = UPRIGHT.get(metadata.stored_orientation)
    if turn in SWAPPING:
        across, down = down, across
    return (1 - across if turn in MIRRORING_ACROSS else across), (1 - down if turn in MIRRORING_DOWN else down)


def _list_regions(element: xmp.Element) -> Iterator[xmp.Element]:
    if element.name == (xmp.RDF, "li"):
        yield element
        return
    for child in element.children:
        yield from _list_regions(child)


def _read_region(region: xmp.Element) -> Point | None:
    """Return the centre of a face or a focus area."""
    fields = dict(_list_fields(region))
    if fields.get((REGIONS, "Type")) not in KINDS or fields.get((AREA, "unit"), "normalized") != "normalized":
        return None
    return parse(f"{fields.get((AREA, 'x'), '')},{fields.get((AREA, 'y'), '')}")


def _list_fields(element: xmp.Element) -> Iterator[tuple[xmp.Name, str]]:
    """Yield the texts in an element, which may be attributes or elements."""
    yield element.name, element.text.strip()
    yield from element.attributes.items()
    for child in element.children:
        yield from _list_fields(child)


def _find_detail(frame: Frame, rendition: Rendition) -> Point:
    """Return the centre of the part with the most detail among those that the rendition may keep."""
    size = frame.displayed_size
    left, top, right, bottom = rendition.place(size).box
    edges = _find_edges(frame)
    across = edges.resize((edges.width, 1), Image.Resampling.BOX).tobytes()
    down = edges.resize((1, edges.height), Image.Resampling.BOX).tobytes()
    return _find_window(across, (right - left) / size[0]), _find_window(down, (bottom - top) / size[1])


def _find_edges(frame: Frame) -> Image.Image:
    """Return how much each pixel of a small copy differs from its neighbours."""
    # To pick single pixels takes a fraction of the time that averaging all of them would.
    grey = _to_grey(frame.image.resize(_scale(frame.image.size, SAMPLES), Image.Resampling.NEAREST))
    grey = grey.resize(_scale(grey.size, SIDE), Image.Resampling.BOX)
    upright = grey if frame.transpose is None else grey.transpose(frame.transpose)
    # The filter leaves the outermost pixels as they are.
    return upright.filter(ImageFilter.FIND_EDGES).crop((1, 1, upright.width - 1, upright.height - 1))


def _scale(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Scale a size down to ``longest`` pixels on the longer side, but to no side below ``LEAST_SIDE``."""
    ratio = min(1.0, longest / max(size))
    return max(LEAST_SIDE, round(size[0] * ratio)), max(LEAST_SIDE, round(size[1] * ratio))


def _to_grey(image: Image.Image) -> Image.Image:
    """Return the brightness of each pixel; transparent ones are black."""
    if image.mode in WIDE:
        return to_eight_bits(image)
    grey = image.getchannel("L") if image.mode in {"L", "LA", "LAB"} else image.convert("RGB").convert("L")
    return ImageChops.multiply(grey, image.getchannel("A")) if image.mode in WITH_ALPHA else grey


def _find_window(detail: bytes, share: float) -> float:
    """Return the middle of the window that has the most detail, where the whole is 1; of equal ones the middle one.

    Args:
        detail: That of equally wide parts of the whole.
        share: The width of the window.

    """
    if share >= 1:
        return 0.5
    sums = [0.0]
    for one in detail:
        sums.append(sums[-1] + one)
    width = share * len(detail)
    last = len(detail) - width
    starts = [*range(math.floor(last) + 1), last, last / 2]

    def measure(start: float) -> tuple[float, float]:
        within = _interpolate(sums, start + width) - _interpolate(sums, start)
        return round(within / DETAIL_TOLERANCE), -abs(start - last / 2)

    start: float = max(starts, key=measure)
    return (start + width / 2) / len(detail)


def _interpolate(sums: Sequence[float], place: float) -> float:
    index = min(int(place), len(sums) - 2)
    return sums[index] + (place - index) * (sums[index + 1] - sums[index])
