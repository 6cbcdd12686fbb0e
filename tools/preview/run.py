"""`invoke preview`: render photos into a page and a table."""

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from aws.settings import Settings
from errors import Reason
from imaging.formats import heif
from tools.common import tfvars
from tools.common.cli import find_invoke, read_photo
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.progress import show_progress
from tools.common.table import Table
from tools.preview import notes
from tools.preview.choice import introduce_command, introduce_settings, write_command, write_settings
from tools.preview.model import Output, Report
from tools.preview.pages import Pages, check_overwriting
from tools.preview.recommendation import Recommendation, format_score, recommend
from tools.preview.render import render_photo
from tools.preview.similarity import MOST_FRAMES
from tools.preview.variants import Comparison

HINT = "To choose a quality or a format, run again with --compare quality=60,75,85 or --compare format=webp,avif."

MOST_NAMED = 3
"""Photos that a command names."""

SIMILARITY = (
    "The score and PSNR compare each output with the scaled source: the photo, decoded in full and scaled to the "
    "output's size in one step with a bicubic filter. The score of a large image is that of 81 tiles, and of an "
    f"animation the mean of up to {MOST_FRAMES} frames. Padding does not count."
)

SEARCHED = (
    "A variant for a score reaches it against the resized image, which it encodes. The scores listed here also count "
    "what resizing changed, so they are lower."
)


def preview(
    photos: Sequence[Path], output: Path, *, var_file: Path | None = None, compare: Iterable[str] = ()
) -> Report:
    """Render photos with the settings that Terraform would deploy, and return the results.

    Args:
        photos: Files.
        output: The page that the caller will write. Pages of many photos are written here, into a folder beside it.
        var_file: A ``.tfvars`` or ``.tfvars.json`` file that changes the module's defaults.
        compare: Variants, such as ``quality=60,75``.

    Raises:
        ToolError: A photo can't be read, a setting is invalid, or a page can't be written or would overwrite a file
            that is not a page. Photos, settings and files are checked before anything is rendered.

    """
    comparison = Comparison.parse(compare)
    files = tfvars.find_files(var_file)
    settings = tfvars.read_settings(files)
    settings_file, renditions = tfvars.read_renditions(files)
    _check_readable(photos)
    check_overwriting(output, [*photos, *files])
    report = Report(
        title=f"Preview of {_name(photos[0]) if len(photos) == 1 else f'{len(photos)} photos'}",
        origin=_describe_origin(settings, files),
        how=[
            SIMILARITY,
            SEARCHED,
            notes.CPU,
            notes.explain_million(settings),
            notes.BYTES,
            *([notes.UNSIGNED] if settings.is_signed else []),
            *([notes.MANIFEST] if settings.manifest else []),
        ],
        photos=[],
        rejections=[],
        hint="" if comparison != Comparison() else HINT,
        command=[find_invoke(), "preview", *map(str, photos)] if _can_be_pasted(photos) else [],
        options=_write_options(var_file),
        sets_renditions=settings_file is not None,
        settings_file=_show(settings_file or (files[-1] if files else TERRAFORM / "terraform.tfvars")),
        renditions=renditions,
    )
    images = len(photos) * sum(1 + len(comparison.variants(rendition)) for rendition in settings.renditions)
    pages, rejected = Pages(report, output, images), []
    with show_progress("Rendering", len(photos)) as update:
        for path in photos:
            photo, found = render_photo(_name(path), read_photo(path), settings, comparison)
            if photo:
                pages.add(photo)
            rejected += found
            update(advance=1)
    return pages.finish(rejected)


def _can_be_pasted(photos: Sequence[Path]) -> bool:
    """Tell whether a command can name the photos: few, none like an option, none that would control the terminal."""
    names = [str(photo) for photo in photos]
    return len(names) <= MOST_NAMED and all(name.isprintable() and not name.startswith("-") for name in names)


def format_text(report: Report) -> str:
    """Format the figures and sentences of the page for a terminal."""
    recommendations = recommend(report.photos)
    table = _summarize(report.title, recommendations) if report.is_index else _list_outputs(report)
    parts = [table.text()] if table.rows else []
    if any(output.is_searched for photo in report.photos for one in photo.renditions for output in one.outputs):
        parts.append(SEARCHED)
    parts += [f"{one.name} is rejected: {one.reason}: {one.message}" for one in report.rejections]
    if any(one.reason == Reason.HEIC_NOT_BUILT_IN for one in report.rejections):
        parts.append("To preview HEIC, run again with --heic.")
    parts += [f"{one.rendition}: {' '.join(one.sentences)}" for one in recommendations if one.sentences]
    if settings := write_settings(report, recommendations):
        parts += [f"\n{introduce_settings(report)}", settings]
    for further in dict.fromkeys(one.further for one in recommendations if one.further):
        parts += [f"\n{introduce_command(report, further)}", write_command(report, further)]
    return "\n".join(parts)


def _list_outputs(report: Report) -> Table:
    columns = ("photo", "rendition", "variant", "format", "quality", "pixels", "bytes", "score", "CPU, ms", "US$/M")
    rows = tuple(
        (photo.name, rendered.name, *_format_cells(output), "; ".join(output.losses))
        for photo in report.photos
        for rendered in photo.renditions
        for output in rendered.outputs
    )
    heading = "losses" if any(row[-1] for row in rows) else ""
    return Table(report.title, (*columns, heading), rows, words=5)


def _summarize(title: str, recommendations: Iterable[Recommendation]) -> Table:
    columns = ("rendition", "variant", "lowest in", "lowest score", "bytes", "CPU, ms", "US$/M")
    rows = tuple(
        (
            one.rendition,
            row.title,
            row.worst or "-",
            format_score(row.score),
            f"{row.byte_count:,}",
            f"{row.milliseconds:.0f}",
            f"{row.dollars:.1f}",
            row.losses,
        )
        for one in recommendations
        for row in one.rows
    )
    heading = "losses" if any(row[-1] for row in rows) else ""
    return Table(title, (*columns, heading), rows, words=3)


def _format_cells(output: Output) -> tuple[str, ...]:
    return (
        output.name,
        output.format,
        output.quality or "-",
        f"{output.picture.width} x {output.picture.height}",
        f"{output.byte_count:,}",
        format_score(output.score),
        *((f"{output.cost.milliseconds:.0f}", f"{output.cost.dollars:.1f}") if output.cost else ("-", "-")),
    )


def _check_readable(photos: Sequence[Path]) -> None:
    if not photos:
        raise ToolError(f"No photo given: use `{shlex.join([find_invoke(), 'preview', 'photo.jpg'])}`")
    for photo in photos:
        read_photo(photo, 1)


def _name(photo: Path) -> str:
    """Return the file's name; U+FFFD replaces bytes that are not UTF-8, which a page can't hold."""
    return os.fsencode(photo.name).decode(errors="replace")


def _write_options(var_file: Path | None) -> list[str]:
    return [*(["--var-file", str(var_file)] if var_file else []), *(["--heic"] if heif.IS_BUILT_IN else [])]


def _show(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def _describe_origin(settings: Settings, files: Sequence[Path]) -> str:
    names = ", ".join(map(_show, files))
    memory = settings.limits.memory_bytes >> 20
    whose = f"the settings of {names}" if files else "the module's default settings"
    return (
        f"Rendered by the function's code with {whose}: {memory:,} MiB of memory, metadata {settings.metadata.value!r}."
    )
