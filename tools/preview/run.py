"""`invoke preview`: from photos and settings to a page and a table."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws.settings import Settings
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.common.table import Table
from tools.imaging.likeness import MOST_FRAMES
from tools.preview import deployed, method
from tools.preview.advice import figure, verdicts
from tools.preview.contents import Contents, Output
from tools.preview.making import make
from tools.preview.page import page
from tools.preview.variants import Comparison

HINT = "To choose a quality or a format, run it again with --compare quality=60,75,85 or --compare format=webp,avif."

LIKENESS = (
    "SSIM and PSNR compare each output to its photo, decoded in full and scaled to the same size in one step by a "
    "bicubic filter: the scaled source. SSIM is of the brightness; of an animation, the mean of up to "
    f"{MOST_FRAMES} frames."
)


@dataclass(frozen=True)
class Preview:
    """A page, and what is on it."""

    contents: Contents
    html: str


def preview(
    photos: Sequence[Path], say: Callable[[str], None], *, var_file: Path | None = None, compare: Iterable[str] = ()
) -> Preview:
    """Render photos as Terraform would deploy it, and lay out what comes of them.

    Args:
        photos: Files.
        say: Shows progress.
        var_file: A ``.tfvars`` or ``.tfvars.json`` file with other settings than the module's defaults.
        compare: What else is tried, such as ``quality=60,75``.

    Raises:
        ToolError: A photo cannot be read, or a setting is wrong; nothing has been rendered then.

    """
    comparison = Comparison.parse(compare)
    files = deployed.var_files(var_file)
    settings = deployed.settings(files)
    bodies = list(_read(photos))
    made, refused = [], []
    for name, body in bodies:
        say(f"Rendering {name}")
        photo, refusals = make(name, body, settings, comparison)
        made += [photo] if photo else []
        refused += refusals
    contents = Contents(
        title=f"Preview of {made[0].name if len(made) == 1 else f'{len(bodies)} photos'}",
        origin=_origin(settings, files),
        clock="CPU, ms",
        how=[LIKENESS, method.CPU, method.million(settings), method.BYTES],
        photos=made,
        refused=refused,
        hint="" if comparison != Comparison() else HINT,
    )
    return Preview(contents, page(contents))


def text(contents: Contents) -> str:
    """What is on the page in words and figures, for a terminal."""
    columns = ("photo", "rendition", "variant", "format", "quality", "pixels", "bytes", "SSIM", contents.clock, "US$/M")
    rows = tuple(
        (photo.name, rendered.name, *_cells(output))
        for photo in contents.photos
        for rendered in photo.renditions
        for output in rendered.outputs
    )
    parts = [Table(contents.title, columns, rows, words=5).text()] if rows else []
    parts += [f"{one.name} is rejected: {one.reason}: {one.message}" for one in contents.refused]
    parts += [f"{one.rendition}: {' '.join(one.sentences)}" for one in verdicts(contents.photos)]
    return "\n".join(parts)


def _cells(output: Output) -> tuple[str, ...]:
    cost = (f"{output.cost.milliseconds:.0f}", f"{output.cost.dollars:.1f}") if output.cost else ("-", "-")
    size = f"{output.picture.width} x {output.picture.height}"
    likeness = figure(output.ssim)
    return output.name, output.format, output.quality or "-", size, f"{output.byte_count:,}", likeness, *cost


def _read(photos: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    if not photos:
        raise ToolError("No photo is named: use `invoke preview photo.jpg`")
    for photo in photos:
        try:
            # What of a name is no text cannot be on a page.
            yield os.fsencode(photo.name).decode(errors="replace"), photo.read_bytes()
        except OSError as error:
            raise ToolError(f"Cannot read {photo}: {error.strerror}") from None


def _origin(settings: Settings, files: Sequence[Path]) -> str:
    names = ", ".join(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path) for path in files)
    memory = settings.limits.memory_bytes >> 20
    whose = f"the settings of {names}" if files else "the module's default settings"
    return (
        f"Rendered by the function's own code, with {whose}: {memory:,} MiB of memory, "
        f"metadata {settings.metadata.value!r}."
    )
