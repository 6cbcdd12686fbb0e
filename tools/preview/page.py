"""Lay a page out as one HTML file. It needs no network and no other file, and is readable without its script."""

import base64
import hashlib
import math
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.preview.choice import introduce_settings, write_command, write_settings
from tools.preview.model import Output, Rendered, Report
from tools.preview.recommendation import ENOUGH, RULE, capitalize, format_ssim, recommend
from tools.preview.variants import CURRENT

FOLDER = Path(__file__).parent


def render_page(report: Report) -> str:
    """Return the page. The result is deterministic, and escapes every name."""
    style, script = ((FOLDER / name).read_text() for name in ("page.css", "page.js"))
    recommendations = recommend(report.photos)

    def start(rendered: Rendered) -> int:
        """Return the number of the image to show on the right first; the source is number 0."""
        chosen = next((one.chosen for one in recommendations if one.rendition == rendered.name), "")
        return 1 + rendered.outputs.index(rendered.find(chosen) or rendered.outputs[0])

    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            recommendations=recommendations,
            settings=write_settings(report, recommendations),
            introduction=introduce_settings(report),
            command=partial(write_command, report),
            rule=RULE,
            enough=ENOUGH,
            start=start,
            policy=content_security_policy(style, script),
            # Only these two are ours: the template escapes everything else.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """Return a content security policy that allows only images inside the page, this style and this script."""
    allowed = {"img-src": "data:", "style-src": _hash(style), "script-src": _hash(script)}
    rest = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    return "; ".join(f"{what} {where}" for what, where in (rest | allowed).items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "capitalize_first": capitalize,
        "data": lambda picture: _data_url(picture.media_type, picture.body),
        "decibels": lambda value: "-" if value is None else f"{value:.0f}",
        "download": lambda body: _data_url("application/octet-stream", body),
        "dollars": lambda value: f"US$ {_two_digits(value)}",
        "relative": _relative,
        "rough": _two_digits,
        "size": _size,
        "ssim": format_ssim,
        "thousands": lambda value: f"{value:,}",
        "title": _title,
    }
    return environment


def _data_url(media_type: str, body: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(body).decode()}"


def _title(output: Output) -> str:
    """Return the variant's name; for the current setting also the format and quality."""
    if output.name != CURRENT:
        return output.name
    return f"{f'{output.format} {output.quality}'.strip()}, {output.name}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{_two_digits(count / 1e3)} KB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def _relative(share: float) -> str:
    percent = 100 * (share - 1)
    if round(percent) == 0:
        return "same"
    # A decrease never rounds to 100 %.
    digits = f"{abs(percent):.0f}" if percent > -99 else f"{abs(percent):.1f}"
    return f"{'+' if percent > 0 else '−'}{digits} %"  # noqa: RUF001


def _two_digits(value: float) -> str:
    """Format a measured figure with two significant digits."""
    if value <= 0:
        return "0"
    places = 1 - math.floor(math.log10(value))
    return f"{round(value, places):,.{max(0, min(places, 2))}f}"
