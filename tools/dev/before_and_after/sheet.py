"""The sheet of paper: one row for each upload, with what either handler makes of it as a browser shows that."""

import contextlib
import io
import math
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageCms, ImageDraw, ImageFile, ImageFont, ImageOps

from errors import RejectedError
from imaging.decode import eight_bit
from tools.benchmarks.contestants import classic, ours
from tools.benchmarks.job import Job, Wanted
from tools.common.paths import ROOT
from tools.dev.before_and_after.cases import Case, cases

DOCUMENT = ROOT / "docs" / "before-and-after.png"

WIDTH, MARGIN, LABEL, GAP = 1600, 40, 400, 28
"""Of the sheet, around it, of its first column, and between two columns: twice the pixels that it is shown with."""

CELL = (WIDTH - 2 * MARGIN - LABEL - 3 * GAP) // 3
HEADER, CAPTION, PADDING, SEAM, NOTE = 92, 40, 28, 6, 240
"""Heights: of the columns' names, of what is below a picture, around a row, between frames, of words without one."""

STILL, MOVING = (320, 288), (160, 120)
"""Room for the only frame, and for one of several."""

PAPER, INK, FAINT, LINE, WRONG, RIGHT = "#fcfcf8", "#1f2328", "#59636e", "#dcd9d0", "#b42318", "#1a7f37"
CHECKS = ("#ffffff", "#e4e4e4")
"""What is behind that which is transparent."""

QUALITY = 90
"""Of either's JPEG: nobody is to look for differences in what a coder does."""

COLUMNS = ("upload", "the usual handler", "this one")

Handler = Callable[[Job, bytes], Callable[[], list[bytes]]]


@dataclass(frozen=True)
class Answer:
    """What one handler made of an upload.

    Attributes:
        frames: As they are shown; none where it made nothing.
        said: Below them, or in their place.

    """

    frames: tuple[Image.Image, ...]
    said: str


def renew(path: Path = DOCUMENT) -> Path:
    """Draw the sheet into its file, and return that."""
    drawn().save(path, optimize=True)
    return path


def drawn() -> Image.Image:
    """The sheet: every upload given to both handlers, now."""
    rows = [_row(case) for case in cases()]
    sheet = Image.new("RGB", (WIDTH, HEADER + sum(row.height for row in rows) + MARGIN // 2), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, name in enumerate(COLUMNS):
        draw.text((_left(number), HEADER - 24), name, INK, _font(36), anchor="ls")
    top = HEADER
    for row in rows:
        draw.line((MARGIN, top, WIDTH - MARGIN, top), LINE, 2)
        sheet.paste(row, (0, top + 2))
        top += row.height
    # Six bits a channel look the same here, in three quarters of the bytes.
    return sheet.point([min(255, 4 * round(level / 4)) for level in range(256)] * 3)


def usual(case: Case) -> Answer:
    """What Pillow's ``thumbnail`` and ``save`` make of it."""
    try:
        return Answer(_frames(made(classic.prepare, case)), case.usual)
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer
        return Answer((), f"raises {type(error).__name__}: {error}")


def this_one(case: Case) -> Answer:
    """What the deployed function makes of it."""
    try:
        return Answer(_frames(made(ours.prepare, case)), case.ours)
    except RejectedError as rejection:
        return Answer((), f"writes nothing, and records why: {rejection}")


def made(prepare: Handler, case: Case) -> bytes:
    """The file that one contestant of the benchmark makes of it; whatever it raises is raised."""
    with Image.open(io.BytesIO(case.body)) as image:
        width, height = (round(side * case.scale) for side in image.size)
    wanted = Wanted(case.format, width, height, case.scale)
    (body,) = prepare(Job("", "", (wanted,), QUALITY), case.body)()
    return body


def _frames(body: bytes) -> tuple[Image.Image, ...]:
    """Every frame as a browser shows it: upright, in sRGB, and over checks."""
    with Image.open(io.BytesIO(body)) as image:
        shown = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown.append(_shown(ImageOps.exif_transpose(image)))
        return tuple(shown)


def _shown(image: Image.Image) -> Image.Image:
    if image.mode == "I;16":
        image = eight_bit(image)
    if profile := image.info.get("icc_profile"):
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB") or image
    image = image.convert("RGBA")
    return Image.alpha_composite(_checks(image.size), image).convert("RGB")


def _checks(size: tuple[int, int]) -> Image.Image:
    light, dark = CHECKS
    checks = Image.new("RGBA", size, light)
    draw = ImageDraw.Draw(checks)
    for left in range(0, size[0], 8):
        for top in range(left % 16, size[1], 16):
            draw.rectangle((left, top, left + 7, top + 7), dark)
    return checks


@contextlib.contextmanager
def _lenient() -> Iterator[None]:
    """Let Pillow show what there is of a file that is cut off, as a browser does."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _row(case: Case) -> Image.Image:
    with _lenient():
        upload = Answer(_frames(case.body), "")
    answers = [(upload, FAINT), (usual(case), WRONG), (this_one(case), RIGHT)]
    cells = [_cell(answer, colour, len(upload.frames)) for answer, colour in answers]
    row = Image.new("RGB", (WIDTH, max(cell.height for cell in cells) + 2 * PADDING), PAPER)
    draw = ImageDraw.Draw(row)
    draw.text((MARGIN, PADDING), case.title, INK, _font(34))
    draw.text((MARGIN, PADDING + 48), case.details, FAINT, _font(26))
    for number, cell in enumerate(cells):
        row.paste(cell, (_left(number), PADDING))
    return row


def _cell(answer: Answer, colour: str, places: int) -> Image.Image:
    """An answer's frames, each at its place, with what is said below."""
    pictures = [_bounded(frame, STILL if places == 1 else MOVING) for frame in answer.frames]
    if not pictures:
        return _note(answer.said, colour)
    width, height = pictures[0].size
    across = math.ceil(math.sqrt(places))
    step_x, step_y = width + SEAM, height + SEAM
    cell = Image.new("RGB", (CELL, -(-places // across) * step_y + CAPTION), PAPER)
    draw = ImageDraw.Draw(cell)
    for place in range(places):
        left, top = place % across * step_x, place // across * step_y
        if place < len(pictures):
            cell.paste(pictures[place], (left, top))
        else:
            draw.rectangle((left, top, left + width - 1, top + height - 1), outline=LINE, width=3)
    draw.text((0, cell.height - 8), answer.said, colour, _font(26), anchor="ls")
    return cell


def _bounded(frame: Image.Image, most: tuple[int, int]) -> Image.Image:
    """Within what there is room for: made smaller, or each pixel a square of them."""
    times = min(room // side for room, side in zip(most, frame.size, strict=True))
    if times < 1:
        return ImageOps.contain(frame, most, Image.Resampling.LANCZOS)
    return frame.resize((times * frame.width, times * frame.height), Image.Resampling.NEAREST)


def _note(text: str, colour: str) -> Image.Image:
    """Words in place of a picture."""
    cell = Image.new("RGB", (CELL, NOTE), PAPER)
    draw = ImageDraw.Draw(cell)
    draw.rectangle((0, 0, cell.width - 1, cell.height - 1), outline=LINE, width=3)
    draw.text((20, 20), textwrap.fill(text, 25), colour, _font(26), spacing=8)
    return cell


def _left(column: int) -> int:
    return MARGIN + LABEL + GAP + column * (CELL + GAP)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
