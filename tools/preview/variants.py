"""The variants of a rendition: the current setting, and other qualities, formats, or both."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from imaging.formats import ENCODERS
from renditions import EXTENSIONS, Rendition
from tools.common.errors import ToolError

CURRENT = "current setting"
"""The name of the variant with the current setting."""

FORMAT_NAMES = {"MPO": "JPEG", "DIB": "BMP", "HEIF": "HEIC", "WEBP": "WebP"}
"""Formats whose common name differs from Pillow's."""


def format_name(image_format: str) -> str:
    """Return the common name of a format of Pillow's."""
    return FORMAT_NAMES.get(image_format, image_format)


def changed_options(rendition: Rendition, variant: Rendition) -> dict[str, object]:
    """Return the options of a variant that differ from the rendition's."""
    before, after = asdict(rendition), asdict(variant)
    return {option: value for option, value in after.items() if value != before[option]}


@dataclass(frozen=True)
class Comparison:
    """The values to try in place of the current setting; empty to keep it.

    Attributes:
        qualities: 1 to 100, ascending.
        formats: Of EXTENSIONS, in the order given.
        scores: Values of ``ssimulacra2``, 30 to 90, ascending.

    """

    qualities: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()
    scores: tuple[int, ...] = ()

    @classmethod
    def parse(cls, wanted: Iterable[str]) -> "Comparison":
        """Parse options such as ``quality=60,75``, ``ssimulacra2=70`` and ``format=webp,avif``.

        Raises:
            ToolError: An option has another name or value.

        """
        found: dict[str, list[str]] = {}
        for one in wanted:
            name, _, values = one.partition("=")
            found.setdefault(name, []).extend(value.strip() or one for value in values.split(","))
        qualities, scores, formats = (found.pop(name, []) for name in ("quality", "ssimulacra2", "format"))
        wrong = [
            *found,
            *(one for one in qualities if not _is_between(one, 1, 100)),
            *(one for one in scores if not _is_between(one, 30, 90)),
            *(one for one in formats if one not in EXTENSIONS),
        ]
        if wrong:
            raise ToolError(
                f"Cannot compare {wrong[0]!r}: use --compare quality=60,75,85 with whole numbers from 1 to 100, "
                "--compare ssimulacra2=60,70,80 with whole numbers from 30 to 90, "
                f"or --compare format=webp,avif with some of {', '.join(EXTENSIONS)}, or several of these. "
                "Write other options, such as fit or widths, into a .tfvars file, and use --var-file"
            )
        return cls(_sort(qualities), tuple(dict.fromkeys(formats)), _sort(scores))

    def variants(self, rendition: Rendition) -> dict[str, Rendition]:
        """Return the variants of a rendition by name, the current setting first."""
        made = {CURRENT: rendition}
        if self.qualities or self.scores or self.formats:
            made |= {name: one for name, one in self._find_others(rendition) if one != rendition}
        return made

    def _find_others(self, rendition: Rendition) -> Iterator[tuple[str, Rendition]]:
        aims = [(f" {quality}", replace(rendition, quality=quality, ssimulacra2=None)) for quality in self.qualities]
        aims += [
            (f" for a score of {score}", replace(rendition, quality=None, ssimulacra2=score)) for score in self.scores
        ]
        for image_format, (aim, other) in itertools.product(self.formats or (None,), aims or [("", rendition)]):
            # For the sentence "Choose quality 75" or "Choose WebP 75".
            if image_format is None:
                yield f"quality{aim}", other
            elif ENCODERS[image_format.upper()].quality:
                yield format_name(image_format.upper()) + aim, replace(other, format=image_format)
            else:
                yield format_name(image_format.upper()), replace(rendition, format=image_format)


def _sort(numbers: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({int(number) for number in numbers}))


def _is_between(number: str, least: int, most: int) -> bool:
    return number.isascii() and number.isdigit() and least <= int(number) <= most
