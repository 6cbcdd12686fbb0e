"""Encodes resized frames, as faithfully as a format allows."""

from collections.abc import Sequence
from dataclasses import replace

from imaging.change import Change
from imaging.colour import CONVERTED, WIDE, WITH_ALPHA, to_profile, to_supported_mode
from imaging.colour_space import HdrCurve
from imaging.decode import Picture
from imaging.formats import ENCODERS, FORMATS
from imaging.losses import Loss, Lost
from imaging.records import Frame, Job
from renditions import Hdr, MetadataPolicy, Rendition


def written_format(picture: Picture, rendition: Rendition) -> str:
    """Return the format that ``rendition`` of ``picture`` is written in, by Pillow's name."""
    return (rendition.format or picture.format).upper()


def writable_frames(
    picture: Picture, frames: Sequence[Frame], image_format: str, rendition: Rendition, lost: list[Loss]
) -> list[Frame]:
    """Return the frames that the format can show, in modes that it holds; add to ``lost`` what it can't.

    These are all frames of an animation, or all pages of a TIFF, if the format holds them; otherwise the first.
    """
    # Only an APNG can have a picture for viewers that cannot animate.
    has_spare = picture.has_default_image and image_format != "PNG"
    if picture.is_animated and FORMATS[image_format].holds_animation:
        shown = frames[1:] if has_spare else frames
    else:
        shown = frames if image_format == picture.format else frames[:1]
    if left_out := len(frames) - has_spare - len(shown):
        kind = "frames" if picture.is_animated else "pages"
        lost.append(Loss(Lost.FRAMES, f"{left_out} of {len(frames) - has_spare} {kind} were left out"))
    if not keeps_numbers(picture, rendition):
        colour = picture.header.colour
        if colour and isinstance(colour.curve, HdrCurve) and rendition.hdr == Hdr.KEEP:
            lost.append(Loss(Lost.HDR, f"{colour.curve.name} was tone-mapped to SDR"))
        shown = replace_numbers(picture, shown)
    encoder = ENCODERS[image_format]
    canvas = rendition.place(shown[0].image.size, encoder.largest_side).canvas
    if canvas is None:
        writable = [to_supported_mode(frame, encoder.modes, rendition.background) for frame in shown]
    else:
        # Imported here because few renditions need it.
        from imaging.padding import pad  # noqa: PLC0415

        colour = picture.header.colour if keeps_numbers(picture, rendition) else None
        writable = [pad(frame, canvas, rendition.background, encoder.modes, colour) for frame in shown]
    for before, after in zip(shown, writable, strict=True):
        _note_conversion(before, after, lost)
    return writable


def keeps_numbers(picture: Picture, rendition: Rendition) -> bool:
    """Tell whether an output has the numbers that define the source's colours, so that its values stay."""
    colour = picture.header.colour
    is_dropped = colour is not None and isinstance(colour.curve, HdrCurve) and rendition.hdr == Hdr.DROP
    return written_format(picture, rendition) == "PNG" == picture.header.format.name and not is_dropped


def replace_numbers(picture: Picture, frames: Sequence[Frame]) -> list[Frame]:
    """Replace the numbers that define the colours of frames by profiles, and show HDR as SDR."""
    colour = picture.header.colour
    # Only the codes of a PNG count more than its profile.
    counts_more = b"cICP" in picture.header.colour_chunks
    return [to_profile(frame, colour) if colour and (counts_more or not frame.icc) else frame for frame in frames]


def _note_conversion(frame: Frame, written: Frame, lost: list[Loss]) -> None:
    """Note what a frame loses as it is written."""
    before, mode = frame.image.mode, written.image.mode
    if frame.depth > 8 and written.low is None and mode not in WIDE:
        lost.append(Loss(Lost.BITS, f"{frame.depth} bits a channel were reduced to 8"))
    if before in CONVERTED and before != mode:
        lost.append(Loss(Lost.COLOUR_SPACE, f"{before} was converted to sRGB"))
    is_flattened = before in WITH_ALPHA and mode not in WITH_ALPHA
    if is_flattened and frame.image.getchannel("A").getextrema()[0] != 255:
        lost.append(Loss(Lost.TRANSPARENCY, "transparency was replaced by the background"))
    if frame.gain_map is not None and written.gain_map is None:
        lost.append(Loss(Lost.GAIN_MAP, "the gain map was left out: no level of it suits the padding"))


def encode(  # noqa: PLR0913, PLR0917 - all that an output depends on
    picture: Picture,
    frames: Sequence[Frame],
    rendition: Rendition,
    change: Change,
    policy: MetadataPolicy,
    lost: list[Loss],
) -> bytes:
    """Write ``frames``, which were resized from ``picture`` and are writable, as ``rendition`` asks.

    Add to ``lost`` what the format lacks.

    Raises:
        RejectedError: UNFAITHFUL: the encoder fails.

    """
    image_format = written_format(picture, rendition)
    encoder = ENCODERS[image_format]
    kept = picture.metadata.select(policy, change, encoder.metadata)
    lost += kept.losses
    if not encoder.is_lossy:
        rendition = replace(rendition, ssimulacra2=None)
    if frames[0].resolution and not encoder.has_resolution:
        across, down = frames[0].resolution
        why = f"the resolution of {across:.0f} x {down:.0f} was left out: {image_format} has none"
        lost.append(Loss(Lost.RESOLUTION, why))
    is_known = any(loss.what is Lost.GAIN_MAP for loss in lost)
    if picture.has_gain_map and frames[0].gain_map is None and rendition.hdr == Hdr.KEEP and not is_known:
        why = picture.gain_map_problem or f"the gain map was left out: it is not written to {image_format}"
        lost.append(Loss(Lost.GAIN_MAP, why))
    numbers = picture.header.colour_chunks if keeps_numbers(picture, rendition) else {}
    return encoder.encode(
        Job(
            picture,
            frames,
            image_format,
            rendition,
            kept.blocks,
            encoder.quality,
            encoder.quality_of_score_70,
            lost,
            numbers,
        )
    )
