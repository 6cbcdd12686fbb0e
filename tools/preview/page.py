"""Lay a page out as one HTML file. It needs no network, and is readable without its script."""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.preview.choice import introduce_command, introduce_settings, write_command, write_settings
from tools.preview.model import Output, Photo, Rendered, Report
from tools.preview.recommendation import ENOUGH, RULE, capitalize, format_score, recommend
from tools.preview.rows import Row
from tools.preview.variants import CURRENT

FOLDER = Path(__file__).parent

GENERATOR = "invoke preview"
"""Marks a page near its beginning: a later page may overwrite it."""


@dataclass(frozen=True)
class Entry:
    """A photo in an index, with its recommended outputs; without a recommendation, with the current ones.

    Attributes:
        link: To the output with the lowest score.
        byte_count: Of the outputs.
        score: The lowest. None if no output has one.
        losses: Of the outputs, joined by semicolons.

    """

    photo: Photo
    link: str
    byte_count: int
    score: float | None
    losses: str


def render_page(report: Report) -> str:
    """Return the page. The result is deterministic, and escapes every name.

    If the photos have pages of their own, it is an index of them.
    """
    style, script = ((FOLDER / name).read_text() for name in ("page.css", "page.js"))
    # One of many photos is no base for a recommendation.
    recommendations = [] if report.index else recommend(report.photos)
    chosen = {one.rendition: one.chosen for one in recommendations}

    def start(rendered: Rendered) -> int:
        """Return the number of the image to show on the right first; the source is number 0."""
        return 1 + rendered.outputs.index(_choose(rendered, chosen))

    def link_worst(rendition: str, row: Row) -> str:
        """Return a link to the output with the row's lowest score."""
        return next(
            _make_link(photo, number, index, output)
            for number, photo in enumerate(report.photos, 1)
            for index, rendered in enumerate(photo.renditions, 1)
            if (photo.name, rendered.name) == (row.worst, rendition)
            and (output := rendered.find(row.name))
            and output.score == row.score
        )

    return (
        _make_environment()
        .get_template("page.html")
        .render(
            report=report,
            generator=GENERATOR,
            recommendations=recommendations,
            settings=write_settings(report, recommendations),
            introduction=introduce_settings(report),
            further=partial(introduce_command, report),
            command=partial(write_command, report),
            entries=_list_entries(report.photos, chosen) if report.is_index else [],
            link_worst=link_worst,
            rule=RULE,
            enough=ENOUGH,
            start=start,
            policy=content_security_policy(style, script),
            # Only these two are ours: the template escapes everything else.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
        )
    )


def _choose(rendered: Rendered, chosen: Mapping[str, str]) -> Output:
    return rendered.find(chosen.get(rendered.name, "")) or rendered.outputs[0]


def _make_link(photo: Photo, number: int, index: int, output: Output) -> str:
    """Return the address of an image; the numbers of the photo on a page and of the rendition begin with 1."""
    place = 1 + photo.renditions[index - 1].outputs.index(output)
    return f"{photo.page}#image-{1 if photo.page else number}-{index}-{place}"


def _list_entries(photos: Sequence[Photo], chosen: Mapping[str, str]) -> list[Entry]:
    """List the photos that have pages of their own, in ascending order of the score."""
    entries = [_make_entry(photo, [_choose(rendered, chosen) for rendered in photo.renditions]) for photo in photos]
    return sorted(entries, key=lambda entry: math.inf if entry.score is None else entry.score)


def _make_entry(photo: Photo, outputs: Sequence[Output]) -> Entry:
    index, lowest = min(enumerate(outputs, 1), key=lambda item: math.inf if item[1].score is None else item[1].score)
    return Entry(
        photo,
        _make_link(photo, 1, index, lowest),
        sum(output.byte_count for output in outputs),
        lowest.score,
        "; ".join(dict.fromkeys(sentence for output in outputs for sentence in output.losses)),
    )


def content_security_policy(style: str, script: str) -> str:
    """Return a content security policy that allows only images inside the page, this style and this script."""
    allowed = {"img-src": "data:", "style-src": _compute_hash(style), "script-src": _compute_hash(script)}
    rest = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{what} {where}" for what, where in (rest | allowed).items())


def _compute_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "capitalize_first": capitalize,
        "data": lambda picture: _make_data_url(picture.media_type, picture.body),
        "decibels": lambda value: "-" if value is None else f"{value:.0f}",
        "download": lambda body: _make_data_url("application/octet-stream", body),
        "dollars": lambda value: f"US$ {_format_two_digits(value)}",
        "relative": _make_relative,
        "rough": _format_two_digits,
        "size": _format_size,
        "score": format_score,
        "thousands": lambda value: f"{value:,}",
        "title": _make_title,
    }
    return environment


def _make_data_url(media_type: str, body: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def _make_title(output: Output) -> str:
    """Return the variant's name; for the current setting also the format and quality."""
    if output.name != CURRENT:
        return output.name
    return f"{f'{output.format} {output.quality}'.strip()}, {output.name}"


def _format_size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{_format_two_digits(count / 1e3)} KB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def _make_relative(share: float) -> str:
    percent = 100 * (share - 1)
    if round(percent) == 0:
        return "same"
    # A decrease never rounds to 100 %.
    digits = f"{abs(percent):.0f}" if percent > -99 else f"{abs(percent):.1f}"
    return f"{'+' if percent > 0 else '−'}{digits} %"  # noqa: RUF001


def _format_two_digits(value: float) -> str:
    """Format a measured figure with two significant digits."""
    if value <= 0:
        return "0"
    places = 1 - math.floor(math.log10(value))
    return f"{round(value, places):,.{max(0, min(places, 2))}f}"
