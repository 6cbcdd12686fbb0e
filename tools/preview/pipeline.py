"""A page with the outputs of a deployed pipeline and the times from its log."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws.settings import Settings
from errors import RejectedError
from imaging.encode import written_format
from imaging.formats import ENCODERS
from imaging.render import Output
from renditions import Rendition
from tools.preview import notes
from tools.preview.display import decode_output
from tools.preview.model import Photo, Rejection, Report, Step
from tools.preview.original import Original
from tools.preview.page import render_page
from tools.preview.price import price
from tools.preview.variants import CURRENT


@dataclass(frozen=True)
class Written:
    """One upload and its output.

    Attributes:
        key: Of the upload.
        seconds: Render time from the log.
        steps: The timeline.

    """

    key: str
    source: bytes
    output: bytes
    seconds: float
    steps: Sequence[Step]


def render_report(written: Sequence[Written], rejections: Sequence[Rejection], settings: Settings, origin: str) -> str:
    """Lay out the results of uploads.

    Args:
        written: Uploads with an output of the first rendition.
        rejections: Uploads with a failure record.
        settings: Of the function.
        origin: The origin of the settings, in a sentence.

    """
    photos, undecodable = [], []
    for one in written:
        try:
            photos.append(_photo(one, settings.renditions[0], settings))
        except RejectedError as rejection:
            # This process may lack one of the function's decoders.
            why = f"it was written, but this machine cannot decode it: {rejection.message}"
            undecodable.append(Rejection(one.key, len(one.source), "not_shown", why))
    report = Report(
        title=f"Results of {len(written) + len(rejections)} uploads",
        origin=origin,
        clock="Render, ms",
        how=[notes.NO_SIMILARITY, notes.RENDER, notes.explain_million(settings), notes.BYTES],
        photos=photos,
        rejections=[*rejections, *undecodable],
    )
    return render_page(report)


def _photo(one: Written, rendition: Rendition, settings: Settings) -> Photo:
    original = Original.load(one.key, one.source, [rendition])
    width, height = decode_output(one.output, rendition)[0].image.size
    media_type = ENCODERS[written_format(original.picture, rendition)].media_type
    cost = price(one.seconds, settings, moved=len(one.source) + len(one.output), outputs=1)
    output = original.describe_output(CURRENT, rendition, Output(one.output, media_type, width, height), cost)
    return original.describe_photo([original.describe_rendition(rendition, [output])], cost, steps=one.steps)
