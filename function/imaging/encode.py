"""Encodes resized frames, as faithfully as a format allows."""

from collections.abc import Sequence
from dataclasses import replace

from imaging.colour import to_srgb_gamma, to_supported_mode
from imaging.decode import Picture
from imaging.formats import ENCODERS, FORMATS
from imaging.records import Frame, Job
from renditions import MetadataPolicy, Rendition


def written_format(picture: Picture, rendition: Rendition) -> str:
    """Return the format that ``rendition`` of ``picture`` is written in, by Pillow's name."""
    return (rendition.format or picture.format).upper()


def writable_frames(picture: Picture, frames: Sequence[Frame], image_format: str, rendition: Rendition) -> list[Frame]:
    """Return the frames that the format can show, in modes that it holds.

    These are all frames of an animation, or all pages of a TIFF, if the format holds them; otherwise the first.
    """
    if picture.is_animated and FORMATS[image_format].holds_animation:
        # Only an APNG can have a picture for viewers that cannot animate.
        shown = frames[1:] if picture.has_default_image and image_format != "PNG" else frames
    else:
        shown = frames if image_format == picture.format else frames[:1]
    if picture.gamma is not None and image_format != "PNG":
        shown = [replace(frame, image=to_srgb_gamma(frame.image, picture.gamma)) for frame in shown]
    return [to_supported_mode(frame, ENCODERS[image_format].modes, rendition.background) for frame in shown]


def encode(
    picture: Picture, frames: Sequence[Frame], image_format: str, rendition: Rendition, policy: MetadataPolicy
) -> bytes:
    """Write ``frames``, which were resized from ``picture`` and are writable, as ``rendition`` asks.

    Raises:
        RejectedError: UNFAITHFUL: the encoder fails.

    """
    kept = picture.metadata.select(policy, frames[0].image.size)
    encoder = ENCODERS[image_format]
    if not encoder.is_lossy:
        rendition = replace(rendition, ssimulacra2=None)
    if frames[0].resolution and not encoder.has_resolution:
        across, down = frames[0].resolution
        picture.note_loss(f"the resolution of {across:.0f} x {down:.0f} was left out: {image_format} has none")
    return encoder.encode(
        Job(picture, frames, image_format, rendition, kept, encoder.quality, encoder.quality_of_score_70)
    )
