"""Renders a source: inspect, predict, decode, resize, encode and prove. Checks the limits before each step."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from errors import Reason, RejectedError
from imaging import proof
from imaging.change import Change
from imaging.decode import Picture
from imaging.encode import encode, writable_frames, written_format
from imaging.formats import ENCODERS, inspect
from imaging.limits import Clock, Limits
from imaging.losses import NO_CREDENTIALS, Loss, Lost, summarize
from imaging.metadata import FIRST_SWAPPING, turn_size
from imaging.predict import Demand, predict
from imaging.records import Encoder, Frame, Header, Provenance
from imaging.resize import choose_divisor, resize, resize_gain_map
from renditions import CENTRE, Focus, Hdr, MetadataPolicy, Placement, Point, Rendition

if TYPE_CHECKING:
    from imaging.content_credentials import Notary
    from imaging.placeholder import Placeholder

DEEP_FACTOR = 3
"""How much longer 16 bits a channel take to encode and prove than 8: twice the bytes, decoded twice."""


@dataclass(frozen=True)
class Output:
    """One rendition, encoded.

    Attributes:
        body: The encoded image.
        content_type: The media type of the body; the key's extension may differ.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        lost: What it lacks of its source, and repairs of the source.
        focus: The point that its part of the source is centred on, as far as the edges allow.

    """

    body: bytes
    content_type: str
    width: int
    height: int
    lost: tuple[Loss, ...] = ()
    focus: Point = CENTRE


class Rendered(NamedTuple):
    """All renditions of one source.

    Attributes:
        outputs: One for each rendition, in the renditions' order.
        pixels: Pixels of the source as stored, all frames together.
        size: Width and height of the source in pixels, as displayed.
        focus: The point that renditions with the focus ``metadata`` keep; None without such renditions.
        placeholder: What a page can show before an output has loaded; None if not asked for.

    """

    outputs: list[Output]
    pixels: int
    size: tuple[int, int]
    focus: Point | None = None
    placeholder: "Placeholder | None" = None

    @property
    def lost(self) -> dict[str, str]:
        """What at least one output lacks, with sentences."""
        return summarize(loss for output in self.outputs for loss in output.lost)


def render(  # noqa: PLR0913 - most are keywords with a default
    source: bytes,
    renditions: Sequence[Rendition],
    *,
    limits: Limits,
    metadata: MetadataPolicy = MetadataPolicy.COPYRIGHT,
    notary: "Notary | None" = None,
    focus: Point | None = None,
    has_placeholder: bool = False,
    seconds_left: Callable[[], float] = lambda: math.inf,
) -> Rendered:
    """Make every rendition of an encoded image.

    Args:
        source: The encoded image: JPEG, PNG, GIF, WebP, TIFF, BMP, AVIF or HEIC, told by content.
        renditions: At least one.
        limits: The memory and pixels that it may take.
        metadata: The EXIF, XMP and IPTC that outputs keep.
        notary: Signs Content Credentials for outputs; None leaves outputs without.
        focus: The point that renditions with the focus ``metadata`` keep; None if XMP may name one.
        has_placeholder: Whether to make a placeholder of the source.
        seconds_left: Asked before each step: how long the invocation may still take.

    Raises:
        RejectedError: The source can't be resized; the exception says why.
        Exception: The notary can't sign, whatever the source.

    """
    try:
        clock = Clock(seconds_left, limits.memory_bytes)
        limits.check_source(len(source))
        header = inspect(source)
        limits.check_source(len(source), header.opening_bytes)
        clock.check("opening the file", header.opening_nanoseconds)
        return _render(header, _Order(renditions, metadata, notary, focus, has_placeholder), limits, clock)
    except MemoryError:
        raise RejectedError(Reason.TOO_LARGE, "resizing ran out of memory: raise memory_size") from None


class _Order(NamedTuple):
    """What to make of a source."""

    renditions: Sequence[Rendition]
    metadata: MetadataPolicy
    notary: "Notary | None"
    focus: Point | None
    has_placeholder: bool


def _render(header: Header, order: _Order, limits: Limits, clock: Clock) -> Rendered:
    """Render a source that may be opened. If it is corrupt, add its format's description to the message."""
    renditions = order.renditions
    try:
        picture = Picture(header)
        formats = [written_format(picture, rendition) for rendition in renditions]
        encoders = [ENCODERS[image_format] for image_format in formats]
        size = picture.displayed_size
        # The focus, which pixels may decide on, changes no size.
        placements = _place_all(size, renditions, encoders, [CENTRE] * len(renditions))
        picture.shrink_on_load(choose_divisor(size, placements))
        if any(encoder.holds_lower_bytes for encoder in encoders):
            picture.keep_lower_bytes()
        if header.gain_map is not None:
            _open_gain_map(picture, size, list(itertools.compress(placements, _list_keeping(renditions, encoders))))
        demand = _predict(picture, renditions, encoders, limits, clock)
        lost: list[list[Loss]] = [[] for _ in renditions]
        resized, placed, points, placeholder = _resize_all(picture, order, encoders, lost)
    except RejectedError as error:
        if error.reason is Reason.CORRUPT and (description := header.format.describe(header.source)):
            raise RejectedError(
                Reason.CORRUPT, f"{error.message} (the {header.format.name} has {description})"
            ) from error
        raise
    made: dict[object, Output] = {}
    outputs = []
    for rendition, image_format, frames, places, point, lacking in zip(
        renditions, formats, resized, placed, points, lost, strict=True
    ):
        # Widths above the source's give equal outputs, for example: they are encoded and proven once.
        identity = places, image_format, rendition.encoding_options
        if identity not in made:
            made[identity] = _make_output(picture, frames, rendition, places[0], order, clock)
        outputs.append(replace(made[identity], lost=(*lacking, *made[identity].lost), focus=point))
    named = (point for point, rendition in zip(points, renditions, strict=True) if rendition.focus == Focus.METADATA)
    return Rendered(
        outputs,
        demand.pixels,
        turn_size(picture.full_size, picture.metadata.orientation),
        next(named, None),
        placeholder,
    )


def _make_output(  # noqa: PLR0913, PLR0917 - all that an output depends on
    picture: Picture, frames: Sequence[Frame], rendition: Rendition, placement: Placement, order: _Order, clock: Clock
) -> Output:
    """Encode and prove the frames of a rendition; the placement is that of its first frame."""
    image_format, lacking = written_format(picture, rendition), list[Loss]()
    encoder = ENCODERS[image_format]
    nanoseconds = encoder.cost.nanoseconds_for(_count_pixels(frames, placement.canvas), len(frames))
    if any(frame.low for frame in frames):
        nanoseconds *= DEEP_FACTOR
    if rendition.ssimulacra2 is not None and encoder.is_lossy:
        # Imported here because few deployments ask for a score.
        from imaging import visual_quality  # noqa: PLC0415

        nanoseconds += visual_quality.nanoseconds_for(math.prod(placement.output_size), nanoseconds)
    clock.check(f"encoding as {image_format}", nanoseconds)
    writable = writable_frames(picture, frames, image_format, rendition, lacking)
    change = _describe_change(picture, placement, encoder)
    body = encode(picture, writable, rendition, change, order.metadata, lacking)
    losses = (*picture.lost, *lacking)
    if order.notary and encoder.holds_content_credentials(len(writable)):
        actions = _list_actions(picture, placement, image_format)
        provenance = Provenance(picture.header, picture.metadata.source_type, actions)
        body, has_manifests = order.notary.sign(body, encoder.media_type, provenance)
        losses = tuple(loss for loss in losses if not has_manifests or loss not in NO_CREDENTIALS)
    images, lows, gain_map = [one.image for one in writable], [one.low for one in writable], writable[0].gain_map
    proof.check(body, image_format, images, lows, gain_map.image if gain_map else None)
    return Output(body, encoder.media_type, *images[0].size, losses)


def _count_pixels(frames: Sequence[Frame], canvas: tuple[int, int] | None) -> int:
    """Return the pixels to encode, with those of gain maps, once frames are padded to the canvas."""
    pixels = 0.0
    for frame in frames:
        share = math.prod(frame.gain_map.image.size) / math.prod(frame.image.size) if frame.gain_map else 0
        pixels += math.prod(canvas or frame.image.size) * (1 + share)
    return round(pixels)


def _list_actions(picture: Picture, placement: Placement, image_format: str) -> list[str]:
    """Return what was done to a picture whose frames were read, by C2PA's names."""
    width, height = turn_size(picture.full_size, picture.metadata.orientation)
    left, top, right, bottom = placement.box
    actions = []
    if (left, top, right, bottom) != (0, 0, width, height):
        actions.append("c2pa.cropped")
    if placement.output_size != (right - left, bottom - top):
        actions.append("c2pa.resized")
    if not actions or image_format != picture.header.format.name:
        # An image of the same size is encoded anew, too.
        actions.append("c2pa.transcoded")
    return actions


def _describe_change(picture: Picture, placement: Placement, encoder: Encoder) -> Change:
    """Return how the first frame of an output shows the source."""
    stored = picture.metadata.stored_orientation
    left, top, right, bottom = placement.box
    is_whole = placement.box == (0, 0, *turn_size(picture.full_size, picture.metadata.orientation))
    return Change(
        size=placement.output_size,
        scale=(placement.size[0] / (right - left), placement.size[1] / (bottom - top)),
        is_moved=stored != 1 or not is_whole or placement.output_size != placement.size,
        swaps_sides=stored >= FIRST_SWAPPING,
        media_type=encoder.media_type,
    )


def _list_keeping(renditions: Sequence[Rendition], encoders: Sequence[Encoder]) -> list[bool]:
    """Tell for each rendition whether it keeps a gain map."""
    return [
        encoder.split is not None and rendition.hdr == Hdr.KEEP
        for rendition, encoder in zip(renditions, encoders, strict=True)
    ]


def _open_gain_map(picture: Picture, size: tuple[int, int], placements: Sequence[Placement]) -> None:
    """Open the gain map of a picture of this displayed size, and let its decoder shrink it, for these placements."""
    if placements:
        picture.open_gain_map()
    if picture.gain_map is not None:
        # The map shrinks as much as its picture.
        picture.gain_map.shrink_on_load(choose_divisor(size, placements))


def _predict(
    picture: Picture, renditions: Sequence[Rendition], encoders: Sequence[Encoder], limits: Limits, clock: Clock
) -> Demand:
    """Predict the demand and check that it fits. If it doesn't, leave out the gain map, and check again.

    Raises:
        RejectedError: TOO_LARGE or TOO_SLOW.

    """
    demand = predict(picture, renditions, encoders)
    try:
        limits.check_pixels(demand.pixels)
        limits.check_memory(demand.peak_bytes)
        clock.check(f"decoding this {picture.header.format.name}", demand.nanoseconds)
    except RejectedError as error:
        if picture.gain_map is None:
            raise
        picture.leave_out_gain_map(error.message)
        return _predict(picture, renditions, encoders, limits, clock)
    return demand


def _resize_all(
    picture: Picture, order: _Order, encoders: Sequence[Encoder], lost: Sequence[list[Loss]]
) -> "tuple[list[tuple[Frame, ...]], list[tuple[Placement, ...]], list[Point], Placeholder | None]":
    """Decode each frame once, and resize it for every rendition.

    Add to ``lost`` what each rendition lacks.

    Returns:
        The frames, their placements, and the focus of each rendition, on which the first frame decides. Last, the
        placeholder of the first frame that is shown, if one is asked for.

    """
    renditions, points, placeholder = order.renditions, [CENTRE] * len(order.renditions), None
    resized: list[list[Frame]] = []
    placed: list[list[Placement]] = []
    for frame in picture.frames():
        size = frame.displayed_size
        if not resized and any(rendition.focus != Focus.CENTER for rendition in renditions):
            # Imported here because few deployments need it.
            from imaging import focus  # noqa: PLC0415

            points = focus.find_all(picture.metadata, frame, renditions, order.focus)
        placements = _place_all(size, renditions, encoders, points)
        if not resized:
            _note_limits(picture, size, renditions, placements, lost)
        resized.append(_resize(frame, placements, renditions, encoders))
        placed.append(placements)
        if order.has_placeholder and len(resized) <= 1 + picture.has_default_image:
            # Imported here because few deployments need it.
            from imaging.placeholder import make_placeholder  # noqa: PLC0415

            placeholder = make_placeholder(picture, frame, resized[-1], placements)
    return list(zip(*resized, strict=True)), list(zip(*placed, strict=True)), points, placeholder


def _resize(
    frame: Frame, placements: Sequence[Placement], renditions: Sequence[Rendition], encoders: Sequence[Encoder]
) -> list[Frame]:
    """Resize a frame for every rendition, with the gain map if the rendition keeps it."""
    lossy = [encoder.is_lossy for encoder in encoders]
    deep = [encoder.holds_lower_bytes for encoder in encoders]
    made = resize(frame, placements, lossy, deep)
    if frame.gain_map is None:
        return made
    keeping = _list_keeping(renditions, encoders)
    kept = dict.fromkeys(itertools.compress(placements, keeping))
    gain_maps = {placement: resize_gain_map(frame, placement) for placement in kept}
    return [
        replace(one, gain_map=gain_maps[placement] if keeps else None)
        for one, placement, keeps in zip(made, placements, keeping, strict=True)
    ]


def _place_all(
    size: tuple[int, int], renditions: Sequence[Rendition], encoders: Sequence[Encoder], points: Sequence[Point]
) -> list[Placement]:
    """Return the placement of each rendition in an image of this displayed size."""
    return [
        rendition.place(size, encoder.largest_side, point)
        for rendition, encoder, point in zip(renditions, encoders, points, strict=True)
    ]


def _note_limits(
    picture: Picture,
    size: tuple[int, int],
    renditions: Sequence[Rendition],
    placements: Sequence[Placement],
    lost: Sequence[list[Loss]],
) -> None:
    """Note which renditions of an image of this displayed size are smaller than asked for."""
    for rendition, placement, lacking in zip(renditions, placements, lost, strict=True):
        if placement.output_size != rendition.place(size).output_size:
            image_format = written_format(picture, rendition)
            most = ENCODERS[image_format].largest_side
            why = f"{rendition.name} was scaled down: {image_format} holds {most} pixels on a side"
            lacking.append(Loss(Lost.SIZE, why))
