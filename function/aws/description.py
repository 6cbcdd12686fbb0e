"""The description of a source object and of the outputs that were made from it, for programs that use them."""

import json
from dataclasses import asdict, dataclass
from typing import Any

MANIFEST_VERSION = 1
"""The version of the manifests' JSON, which events/manifest.schema.json describes."""


@dataclass(frozen=True)
class SourceDescription:
    """A state of a source object. Only one that outputs were made from has a size.

    Attributes:
        version_id: None if the bucket is not versioned, or the object does not exist.
        etag: Without quotation marks; None if the object does not exist.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        focus: The point that renditions with the focus ``metadata`` keep, as fractions of width and height from the
            top left; None without such renditions.
        thumbhash: A blurred picture of it as a ThumbHash, in base64; None unless placeholders are asked for.
        dominant_colour: Such as ``#336699``; None unless placeholders are asked for, or if all pixels are transparent.

    """

    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    width: int | None = None
    height: int | None = None
    focus: tuple[float, float] | None = None
    thumbhash: str | None = None
    dominant_colour: str | None = None


@dataclass(frozen=True)
class RenditionDescription:
    """One output.

    Attributes:
        name: The rendition's name.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        lost: What it lacks of its source, as names.
        sha256: Of the body, in hex; None if nothing asks for it.

    """

    name: str
    key: str
    width: int
    height: int
    bytes: int
    media_type: str
    lost: tuple[str, ...] = ()
    sha256: str | None = None

    def to_log(self) -> dict[str, Any]:
        """Return what the log line ``written`` says of it."""
        sizes = {"width": self.width, "height": self.height, "bytes": self.bytes}
        return {"key": self.key, **sizes, "lost": list(self.lost)}


@dataclass(frozen=True)
class Description:
    """A source object and its outputs, in the renditions' order."""

    source: SourceDescription
    renditions: tuple[RenditionDescription, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return asdict(self)

    def to_manifest(self) -> bytes:
        """Return the manifest, as JSON; equal descriptions have equal manifests.

        It lacks the source bucket's name, because everyone who may read the outputs may read it.
        """
        content = self.to_dict()
        del content["source"]["bucket"]
        return json.dumps({"version": MANIFEST_VERSION, **content}, sort_keys=True, separators=(",", ":")).encode()
