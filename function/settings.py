"""The function's settings: its environment variables, parsed and validated once, at start-up."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from errors import SettingsError

RENDITION_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Rendition:
    """One output that every source image has.

    Attributes:
        name: Lower-case letters, digits and single hyphens; the prefix of its output's file name.
        scale: Output side divided by source side, 0 < scale <= 1.

    """

    name: str
    scale: float = 0.5

    def __post_init__(self) -> None:
        if not RENDITION_NAME.fullmatch(self.name):
            raise SettingsError(
                f"RENDITIONS: the name {self.name!r} must be lower-case letters, digits and single hyphens"
            )
        if isinstance(self.scale, bool) or not isinstance(self.scale, int | float) or not 0 < self.scale <= 1:
            raise SettingsError(f"RENDITIONS: {self.name}.scale is {self.scale!r}; it must be above 0 and at most 1")

    def output_key(self, source_key: str) -> str:
        """The key of this rendition of ``source_key``: ``a/cake.jpg`` gives ``a/resized-cake.jpg``."""
        folder, slash, name = source_key.rpartition("/")
        return f"{folder}{slash}{self.name}-{name}"

    def could_write(self, key: str) -> bool:
        """Whether ``key`` is one that :meth:`output_key` can give."""
        return key.rpartition("/")[2].startswith(f"{self.name}-")

    @property
    def digest(self) -> str:
        """What an output's metadata says of the settings that made it: 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Settings:
    """Everything that a deployment can choose, and the memory that Lambda gives the function.

    Attributes:
        memory_bytes: The memory of the whole execution environment, in bytes.

    """

    source_bucket: str
    destination_bucket: str
    failure_queue_url: str
    renditions: tuple[Rendition, ...]
    memory_bytes: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read what Terraform and Lambda put into the environment.

        Raises:
            SettingsError: A variable is missing or wrong; the message names it and the fix.

        """

        def required(name: str) -> str:
            try:
                return environment[name]
            except KeyError:
                raise SettingsError(f"{name} is not set: deploy with the Terraform module, which sets it") from None

        return cls(
            source_bucket=required("SOURCE_BUCKET"),
            destination_bucket=required("DESTINATION_BUCKET"),
            failure_queue_url=required("FAILURE_QUEUE_URL"),
            renditions=_renditions(required("RENDITIONS")),
            memory_bytes=int(required("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) * 1024 * 1024,
        )


def _renditions(text: str) -> tuple[Rendition, ...]:
    try:
        parsed = json.loads(text)
        renditions = tuple(Rendition(name, **options) for name, options in sorted(parsed.items()))
    except (ValueError, AttributeError, TypeError) as error:
        raise SettingsError(
            f'RENDITIONS must be a JSON object such as {{"resized": {{"scale": 0.5}}}}, not {text!r}: {error}'
        ) from error
    if not renditions:
        raise SettingsError("RENDITIONS is empty: name at least one rendition")
    for one in renditions:
        for other in renditions:
            if one is not other and other.name.startswith(f"{one.name}-"):
                raise SettingsError(
                    f"RENDITIONS: {one.name!r} and {other.name!r} could write one key "
                    f"({one.name}-* contains {other.name}-*): rename one of them"
                )
    return renditions
