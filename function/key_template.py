"""Templates of output keys: fills them, and tells whether two of them can ever give equal keys."""

import re
from typing import NamedTuple

MANIFEST_SUFFIX = ".renditions.json"
"""The end of a manifest's key, after the source's name. With manifests, sources with such names are ignored."""

TEMPLATE = re.compile(r"((?:[^{}]*/)?)\{dir\}((?:[^{}]|\{stem\}|\{ext\})*)\{name\}((?:[^{}/]|\{stem\}|\{ext\})*)")
"""The pattern of a template. Its groups are prefix, infix and suffix."""


class KeyTemplate(NamedTuple):
    """A parsed key template: ``prefix{dir}infix{name}suffix``.

    Attributes:
        suffix: Ends with the extension of the rendition's format, if it sets one.

    """

    prefix: str
    infix: str
    suffix: str

    @classmethod
    def of(cls, key: str, extension: str) -> "KeyTemplate":
        """Parse a template that matches ``TEMPLATE``."""
        prefix, infix, suffix = TEMPLATE.fullmatch(key).groups()  # type: ignore[union-attr]
        return cls(prefix, infix, suffix + extension)

    def fill(self, source_key: str) -> str:
        """Return the key for a source: by default ``a/resized-cake.jpg`` for ``a/cake.jpg``."""
        folder, slash, name = source_key.rpartition("/")
        stem, _, extension = name.rpartition(".")
        values = {"dir": folder + slash, "name": name, "stem": stem or name, "ext": extension if stem else ""}
        return (
            self.prefix
            + values["dir"]
            + self.infix.format_map(values)
            + values["name"]
            + self.suffix.format_map(values)
        )

    def can_give(self, key: str) -> bool:
        """Tell whether :meth:`fill` can return ``key`` for some source."""
        folder, slash, name = key.rpartition("/")
        folder += slash
        below = folder.removeprefix(self.prefix)
        return (
            folder.startswith(self.prefix)
            and (below == self._folder_end or below.endswith(self._nonempty_folder_end))
            and name.startswith(self._name_start)
            and name.endswith(self._name_end)
        )

    def can_collide_with(self, other: "KeyTemplate") -> bool:
        """Tell whether the two templates can give equal keys, for equal or different sources.

        Folders and names are arbitrary, so only literal text can keep keys apart. It does if neither template's text
        at the start is a prefix of the other's, or if neither text at the end is a suffix of the other's.
        """
        return (
            _can_start_alike(self.prefix, other.prefix)
            and _can_end_alike(self._folder_end, other._folder_end)
            and _can_start_alike(self._name_start, other._name_start)
            and _can_end_alike(self._name_end, other._name_end)
        )

    def can_collide_with_manifest(self) -> bool:
        """Tell whether a key can be a manifest's, if no source's name ends in ``MANIFEST_SUFFIX``.

        Manifests have no text of their own before the name, so only the end can keep keys apart. A key that ends in the
        source's name can only be a manifest's if text before the name begins the suffix, with its dot.
        """
        if self.suffix:
            return _can_end_alike(self._name_end, MANIFEST_SUFFIX)
        return "." in self.infix.rpartition("/")[2]

    @property
    def _folder_end(self) -> str:
        folder, slash, _ = self.infix.rpartition("/")
        return (folder + slash).rpartition("}")[2]

    @property
    def _nonempty_folder_end(self) -> str:
        """The literal text that a folder ends in if it is not empty, including the slash at the end of ``{dir}``."""
        return self._folder_end if "}" in self.infix.rpartition("/")[0] else "/" + self._folder_end

    @property
    def _name_start(self) -> str:
        return self.infix.rpartition("/")[2].partition("{")[0]

    @property
    def _name_end(self) -> str:
        return self.suffix.rpartition("}")[2]


def _can_start_alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _can_end_alike(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)
