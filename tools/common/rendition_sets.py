"""Expand renditions with widths or formats, by the rule of ``terraform/modules/function/renditions.tf``."""

import itertools
from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

from errors import SettingsError
from renditions import EXTENSIONS, MAX_SIDE

LISTS: Mapping[str, tuple[Container[Any], str]] = {
    "widths": (
        range(1, MAX_SIDE + 1),
        f"whole numbers of pixels from 1 to {MAX_SIDE}, such as [320, 640, 1280, 1920]",
    ),
    "formats": (tuple(EXTENSIONS), 'ones of jpeg, png, webp and avif, such as ["avif", "webp", "jpeg"]'),
}
"""The options that list values of the option without the s: the allowed values, and the words for them in an error."""


def expand_all(renditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the renditions that the function gets for those of a settings file.

    Raises:
        SettingsError: ``widths`` or ``formats`` of a rendition are invalid, or two renditions would have one name. The
            function checks everything else.

    """
    members = [member for name, options in renditions.items() for member in expand(name, options).items()]
    if twice := [name for name, count in Counter(name for name, _ in members).items() if count > 1]:
        raise SettingsError(
            f"Two renditions have one name ({', '.join(twice)}): widths and formats make NAME-WIDTH-FORMAT, so rename "
            "the rendition that has this name itself"
        )
    return dict(members)


def expand(name: str, options: Any) -> dict[str, Any]:
    """Return the rendition by its name, or one for each of its widths in each of its formats.

    Raises:
        SettingsError: ``widths`` or ``formats`` are invalid.

    """
    if not isinstance(options, dict):
        return {name: options}
    lists = {many: options[many] for many in LISTS if options.get(many) is not None}
    for many, values in lists.items():
        one = many.removesuffix("s")
        if options.get(one) is not None:
            raise SettingsError(f"renditions.{name} has both {one} and {many}: set one of them")
        allowed, words = LISTS[many]
        if (
            not isinstance(values, list)
            or not values
            or any(value not in allowed or values.count(value) > 1 for value in values)
        ):
            raise SettingsError(f"renditions.{name}.{many} is {values!r}: it must be different {words}")
    if lists and "{rendition}" not in str(options.get("key") or "{rendition}"):
        raise SettingsError(
            f"renditions.{name}.key is {options['key']!r}: with widths or formats, it must contain {{rendition}}"
        )
    others = {option: value for option, value in options.items() if option not in LISTS}
    singular = [many.removesuffix("s") for many in lists]
    return {
        "-".join([name, *map(str, values)]): others | dict(zip(singular, values, strict=True))
        for values in itertools.product(*lists.values())
    }
