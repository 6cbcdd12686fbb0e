"""Write the recommended settings for a settings file, and the command that tries further qualities."""

import json
import shlex
from collections.abc import Mapping, Sequence

from tools.common.hcl import write_key, write_literal
from tools.common.rendition_sets import expand
from tools.preview.model import Report
from tools.preview.recommendation import Further, Recommendation


def write_settings(report: Report, recommendations: Sequence[Recommendation]) -> str:
    """Return the variable ``renditions`` with the recommended options, in the settings file's language.

    The result is empty if nothing changes.
    """
    changes = {one.rendition: one.options for one in recommendations if one.options}
    if not changes:
        return ""
    renditions: dict[str, Mapping[str, object]] = {}
    for name, options in report.renditions.items():
        # Members of a set may need different options: a set stays one only if no member changes.
        members = expand(name, options)
        if changes.keys() & members:
            renditions |= {member: {**own, **changes.get(member, {})} for member, own in members.items()}
        else:
            renditions[name] = options
    if _is_json(report):
        return f'"renditions": {json.dumps(renditions)}'
    if len(renditions) == 1:
        return f"renditions = {write_literal(renditions)}"
    width = max(len(write_key(name)) for name in renditions)
    lines = [f"  {write_key(name):{width}} = {write_literal(options)}" for name, options in renditions.items()]
    return "\n".join(["renditions = {", *lines, "}"])


def introduce_settings(report: Report) -> str:
    """Return a sentence that says where to write these settings."""
    if report.sets_renditions:
        # Terraform refuses a second `renditions` in a file.
        return f"To choose this, replace `renditions` in {report.settings_file} by:"
    or_module = "" if _is_json(report) else " or your module block"
    return f"To choose this, set in {report.settings_file}{or_module}:"


def introduce_command(report: Report, further: Further) -> str:
    """Return a sentence that says why to try further qualities."""
    photos = "" if report.command else " with the same photos"
    return f"{further.sentence} Try {further.direction}{photos}:"


def write_command(report: Report, further: Further) -> str:
    """Return the command that tries further qualities; of many photos, only its options."""
    return shlex.join(
        [*report.command, *report.options, *(word for value in further.compare for word in ("--compare", value))]
    )


def _is_json(report: Report) -> bool:
    return report.settings_file.endswith(".json")
