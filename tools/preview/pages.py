"""Many photos: an index with a row for each, and a page of its own for each in a folder beside the index."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from tools.common.cli import save
from tools.common.errors import ToolError
from tools.preview.display import Picture
from tools.preview.model import Photo, Rejection, Rendered, Report
from tools.preview.page import GENERATOR, render_page

MOST_IMAGES = 60
"""Images on one page. Of noisy photos of 12 MP at half size, 60 make about 40 MB: more load and scroll slowly."""

THUMBNAIL_SIDE = 96
"""Pixels of a thumbnail's longer side: twice the CSS pixels, for sharp screens."""

GREY = "#757575"
"""The background of a transparent thumbnail, on which both black and white are visible."""


class Pages:
    """Collects photos for a report.

    Each of many photos gets its own page at once, so that neither the index nor memory holds all images.

    Args:
        report: Without photos and rejections.
        output: The file that the caller will write the report to.
        image_count: Images that all photos will have.

    """

    def __init__(self, report: Report, output: Path, image_count: int) -> None:
        self._report, self._output = report, output
        self._folder = folder_beside(output) if image_count > MOST_IMAGES else None
        self._photos: list[Photo] = []

    def add(self, photo: Photo) -> None:
        """Add a photo; of many, write its page and forget its images.

        Raises:
            ToolError: The page can't be written.

        """
        if self._folder:
            path = self._folder / f"photo-{len(self._photos) + 1:03}.html"
            report = replace(
                self._report, title=photo.name, photos=[photo], hint="", index=f"../{quote(self._output.name)}"
            )
            save(render_page(report), path)
            photo = replace(
                photo,
                renditions=[_drop_images(rendered) for rendered in photo.renditions],
                page=f"{quote(self._folder.name)}/{path.name}",
                thumbnail=_make_thumbnail(photo.renditions[0].source),
            )
        self._photos.append(photo)

    def finish(self, rejections: Sequence[Rejection]) -> Report:
        """Return the report with all photos, and remove the pages of an earlier report."""
        if self._folder:
            written = {photo.page.rpartition("/")[2] for photo in self._photos}
            for path in self._folder.glob("photo-*.html"):
                if path.name not in written:
                    path.unlink()
        return replace(self._report, photos=self._photos, rejections=rejections)


def check_overwriting(output: Path, inputs: Iterable[Path]) -> None:
    """Check that a page and the pages beside it overwrite only earlier pages, so that no file of the user's is lost.

    Raises:
        ToolError: ``output`` is an input, or a file is not a page.

    """
    if output.exists() and any(path.exists() and output.samefile(path) for path in inputs):
        raise ToolError(f"Cannot write {output}: it is one of the inputs: choose another --output")
    for path in (output, *sorted(folder_beside(output).glob("photo-*.html"))):
        if path.exists() and not _is_page(path):
            raise ToolError(f"Cannot write {path}: it exists and is not a page of the preview: choose another --output")


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return f'<meta name="generator" content="{GENERATOR}">'.encode() in file.read(1000)
    except OSError:
        return False


def folder_beside(output: Path) -> Path:
    """Return the folder for the pages of an index."""
    return output.with_name(f"{output.stem}-files")


def _drop_images(rendered: Rendered) -> Rendered:
    outputs = [replace(output, picture=_drop_image(output.picture)) for output in rendered.outputs]
    return replace(rendered, source=_drop_image(rendered.source), outputs=outputs)


def _drop_image(picture: Picture) -> Picture:
    return replace(picture, body=b"", original=b"")


def _make_thumbnail(source: Picture) -> Picture:
    target = io.BytesIO()
    with Image.open(io.BytesIO(source.body)) as image:
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
        shown = Image.alpha_composite(Image.new("RGBA", image.size, GREY), image.convert("RGBA")).convert("RGB")
        shown.save(target, "WEBP", quality=60, icc_profile=image.info.get("icc_profile", b""))
        return Picture(target.getvalue(), "image/webp", *image.size)
