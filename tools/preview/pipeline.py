"""A page with the outputs of a deployed pipeline and the times from its log."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imaging.encode import written_format
from imaging.formats import ENCODERS
from imaging.losses import Loss
from imaging.render import Output, Rendered
from renditions import Rendition
from tools.preview import model, notes
from tools.preview.display import decode_output
from tools.preview.model import Photo, Rejection, Report, Step
from tools.preview.original import Original
from tools.preview.pages import Pages
from tools.preview.variants import CURRENT


@dataclass(frozen=True)
class Written:
    """One upload and its output.

    Attributes:
        key: Of the upload.
        lost: From the log.
        steps: The timeline.

    """

    key: str
    source: bytes
    output: bytes
    lost: Sequence[Loss]
    steps: Sequence[Step]


def make_report(
    written: Sequence[Written], rejections: Sequence[Rejection], rendition: Rendition, origin: str, output: Path
) -> Report:
    """Return the results of uploads.

    Args:
        written: Uploads with an output.
        rejections: Uploads with a failure record.
        rendition: Of the outputs.
        origin: The origin of the settings, in a sentence.
        output: The page that the caller will write. Pages of many photos are written here, into a folder beside it.

    Raises:
        ToolError: A page can't be written.

    """
    report = Report(
        title=f"Results of {len(written) + len(rejections)} uploads",
        origin=origin,
        how=[notes.NOT_MEASURED, notes.TIMELINE, notes.BYTES],
        photos=[],
        rejections=[],
    )
    pages = Pages(report, output, image_count=2 * len(written))
    for one in written:
        pages.add(_make_photo(one, rendition))
    return pages.finish(rejections)


def _make_photo(one: Written, rendition: Rendition) -> Photo:
    original = Original.load(one.key, one.source, [rendition])
    width, height = decode_output(one.output)[1][0].image.size
    media_type = ENCODERS[written_format(original.picture, rendition)].media_type
    made = Rendered([Output(one.output, media_type, width, height, tuple(one.lost))], 0, original.picture.full_size)
    output = original.describe_output(CURRENT, rendition, made)
    rendered = model.Rendered(rendition.name, original.scale_for_page(rendition), [output])
    return original.describe_photo([rendered], None, one.steps)
