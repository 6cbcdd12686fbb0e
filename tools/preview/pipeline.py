"""A page of what a deployed pipeline really wrote, with what its log says of each image."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws.settings import Settings
from errors import RejectedError
from imaging.encode import CONTENT_TYPES, written_format
from imaging.render import Output
from renditions import Rendition
from tools.imaging.scaled import decoded
from tools.preview import method
from tools.preview.contents import Contents, Photo, Refused, Step
from tools.preview.cost import cost
from tools.preview.original import Original
from tools.preview.page import page
from tools.preview.variants import AS_SET


@dataclass(frozen=True)
class Written:
    """One upload and its output.

    Attributes:
        key: The upload's.
        seconds: To render it, by the log.
        steps: What happened when.

    """

    key: str
    source: bytes
    output: bytes
    seconds: float
    steps: Sequence[Step]


def report(written: Sequence[Written], refused: Sequence[Refused], settings: Settings, origin: str) -> str:
    """Lay out what became of uploads.

    Args:
        written: Those that have an output, of the first rendition.
        refused: Those that have a failure record.
        settings: Of the function.
        origin: What ran where, in a sentence.

    """
    photos, unseen = [], []
    for one in written:
        try:
            photos.append(_photo(one, settings.renditions[0], settings))
        except RejectedError as rejection:
            # This process may lack a decoder that the function has.
            why = f"it was written, but cannot be shown by this machine: {rejection.message}"
            unseen.append(Refused(one.key, len(one.source), "not_shown", why))
    contents = Contents(
        title=f"What became of {len(written) + len(refused)} uploads",
        origin=origin,
        clock="Render, ms",
        how=[method.NO_LIKENESS, method.RENDER, method.million(settings), method.BYTES],
        photos=photos,
        refused=[*refused, *unseen],
    )
    return page(contents)


def _photo(one: Written, rendition: Rendition, settings: Settings) -> Photo:
    original = Original.of(one.key, one.source, [rendition])
    width, height = decoded(one.output, rendition)[0].image.size
    media_type = CONTENT_TYPES[written_format(original.picture, rendition)]
    price = cost(one.seconds, settings, moved=len(one.source) + len(one.output), outputs=1)
    output = original.output(AS_SET, rendition, Output(one.output, media_type, width, height), price)
    return original.photo([original.rendered(rendition, [output])], price, steps=one.steps)
