"""Templates of output keys: what they give, and whether two of them could ever give the same key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class KeyTemplate:
    """A key template in its parts: ``prefix{dir}infix{name}suffix``.

    Attributes:
        suffix: With the extension of the format, where the rendition has one.

    """

    prefix: str
    infix: str
    suffix: str

    PATTERN = re.compile(r"((?:[^{}]*/)?)\{dir\}((?:[^{}]|\{stem\}|\{ext\})*)\{name\}((?:[^{}/]|\{stem\}|\{ext\})*)")

    @classmethod
    def of(cls, key: str, extension: str) -> "KeyTemplate":
        """Take a checked template apart."""
        prefix, infix, suffix = cls.PATTERN.fullmatch(key).groups()  # type: ignore[union-attr]
        return cls(prefix, infix, suffix + extension)

    def fill(self, values: Mapping[str, str]) -> str:
        """The key for these values of the placeholders."""
        return (
            self.prefix
            + values["dir"]
            + self.infix.format_map(values)
            + values["name"]
            + self.suffix.format_map(values)
        )

    def could_give(self, key: str) -> bool:
        """Whether :meth:`fill` may give ``key`` for some source."""
        folder, slash, name = key.rpartition("/")
        folder += slash
        below = folder.removeprefix(self.prefix)
        return (
            folder.startswith(self.prefix)
            and (below == self._folder_end or below.endswith(self._folder_ends_in))
            and name.startswith(self._name_start)
            and name.endswith(self._name_end)
        )

    def could_collide(self, other: "KeyTemplate") -> bool:
        """Whether two sources could get one key, one by this template and one by the other.

        A folder can be anything, and so can a name, so what is literal decides: keys are distinct where neither
        beginning begins the other, or neither end ends the other.
        """
        return (
            _one_starts(self.prefix, other.prefix)
            and _one_ends(self._folder_end, other._folder_end)
            and _one_starts(self._name_start, other._name_start)
            and _one_ends(self._name_end, other._name_end)
        )

    @property
    def _folder_end(self) -> str:
        folder, slash, _ = self.infix.rpartition("/")
        return (folder + slash).rpartition("}")[2]

    @property
    def _folder_ends_in(self) -> str:
        """The same, after the slash in which ``{dir}`` ends, if it comes right before."""
        return self._folder_end if "}" in self.infix.rpartition("/")[0] else "/" + self._folder_end

    @property
    def _name_start(self) -> str:
        return self.infix.rpartition("/")[2].partition("{")[0]

    @property
    def _name_end(self) -> str:
        return self.suffix.rpartition("}")[2]


def _one_starts(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _one_ends(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)
