"""The function's settings: its environment variables, parsed and validated once, at start-up."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from errors import SettingsError
from imaging.limits import Limits
from renditions import MetadataPolicy, Rendition, check_together


@dataclass(frozen=True)
class Filter:
    """Which objects of the source bucket are uploads: those whose key begins and ends so, literally."""

    prefix: str
    suffix: str

    def fits(self, key: str) -> bool:
        """Whether a key begins and ends so; S3 lets both ends share letters, too."""
        return key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Settings:
    """Everything that a deployment can choose, and the memory that Lambda gives the function.

    Attributes:
        filters: Which objects of the source bucket are uploads: those that one of these fits.
        mirror_deletes: Whether outputs are removed when their source is gone.
        timeout_seconds: How long an invocation may take, which Lambda tells only while there is one.

    """

    source_bucket: str
    destination_bucket: str
    failure_queue_url: str
    renditions: tuple[Rendition, ...]
    metadata: MetadataPolicy
    limits: Limits
    filters: tuple[Filter, ...] = (Filter("", ""),)
    mirror_deletes: bool = False
    timeout_seconds: int = 120

    def wants(self, key: str) -> bool:
        """Whether an object of the source bucket is an upload, by its key."""
        return not key.endswith("/") and any(one.fits(key) for one in self.filters)

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

        memory_bytes = _whole("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", required("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) << 20
        max_pixels = environment.get("MAX_PIXELS")
        return cls(
            source_bucket=required("SOURCE_BUCKET"),
            destination_bucket=required("DESTINATION_BUCKET"),
            failure_queue_url=required("FAILURE_QUEUE_URL"),
            renditions=_renditions(required("RENDITIONS")),
            metadata=_metadata(environment.get("METADATA", MetadataPolicy.COPYRIGHT)),
            limits=Limits(memory_bytes, _whole("MAX_PIXELS", max_pixels) if max_pixels else None),
            filters=_filters(environment.get("FILTERS", '[["", ""]]')),
            mirror_deletes=_switch("MIRROR_DELETES", environment.get("MIRROR_DELETES", "false")),
            timeout_seconds=_whole("TIMEOUT_SECONDS", environment.get("TIMEOUT_SECONDS", "120")),
        )


def _filters(text: str) -> tuple[Filter, ...]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    match parsed:
        case [_, *_] if all(isinstance(ends, list) and [type(end) for end in ends] == [str, str] for ends in parsed):
            return tuple(Filter(*ends) for ends in parsed)
        case _:
            raise SettingsError(f'FILTERS must be JSON such as [["photos/", ".jpg"]], not {text!r}')


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} is {text!r}: it must be a whole number from 1")
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise SettingsError(f"{name} is {text!r}: use true or false")
    return text == "true"


def _metadata(text: str) -> MetadataPolicy:
    try:
        return MetadataPolicy(text)
    except ValueError:
        raise SettingsError(f"METADATA is {text!r}: use {', '.join(MetadataPolicy)}") from None


def _renditions(text: str) -> tuple[Rendition, ...]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or not all(isinstance(options, dict) for options in parsed.values()):
        raise SettingsError(f'RENDITIONS must be a JSON object such as {{"resized": {{"scale": 0.5}}}}, not {text!r}')
    if not parsed:
        raise SettingsError("RENDITIONS is empty: name at least one rendition")
    renditions = tuple(Rendition.parse(name, options) for name, options in sorted(parsed.items()))
    check_together(renditions)
    return renditions
