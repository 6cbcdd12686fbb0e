"""The function's settings: parses and validates its environment variables at cold start."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from aws.description import MANIFEST_VERSION
from errors import SettingsError
from imaging.limits import Limits
from key_template import MANIFEST_SUFFIX, TEMPLATE, KeyTemplate
from renditions import MetadataPolicy, Rendition, Target, check_no_collisions, make_digest

EVENT_TARGETS = {
    "eventbridge_bus_arn": (
        r"arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]+",
        "the ARN of a bus, arn:aws:events:REGION:ACCOUNT:event-bus/NAME: a partner's bus takes no other events.",
    ),
    "sns_topic_arn": (
        r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+",
        "the ARN of a standard topic, arn:aws:sns:REGION:ACCOUNT:NAME: a FIFO topic does not order uploads.",
    ),
}
"""The pattern of each option of ``events``, and what it must be. The module's validation repeats them."""


class Filter(NamedTuple):
    """A prefix and a suffix, without wildcards, that the key of an upload must have."""

    prefix: str
    suffix: str

    def matches(self, key: str) -> bool:
        """Tell whether a key has both prefix and suffix, which may overlap as in S3's own filters."""
        return key.startswith(self.prefix) and key.endswith(self.suffix)


class SigningKey(NamedTuple):
    """The key that signs Content Credentials: of KMS, with its certificates; or a secret with both.

    Attributes:
        kms_key_arn: Of an asymmetric key for signing, ECC_NIST_P256.
        certificate_chain: The key's certificate and those of its issuers, in PEM.
        secret_arn: Of a secret of Secrets Manager, with the private key and the certificates in PEM.

    """

    kms_key_arn: str = ""
    certificate_chain: str = ""
    secret_arn: str = ""


@dataclass(frozen=True)
class Settings:
    """The settings of a deployment, and the function's memory and timeout.

    Attributes:
        filters: An object of the source bucket is an upload if one of them matches its key.
        manifest: Template of the keys of manifests; None if outputs have none.
        mirror_deletes: Whether to remove the outputs of a deleted source.
        placeholders: Whether manifests and completion events have a ThumbHash and the dominant colour of the source.
        timeout_seconds: How long an invocation may take. Lambda's own variables don't contain it.
        signing_key: The key that signs the outputs' Content Credentials; None if outputs have none.
        event_target_arn: The bus of EventBridge or the topic of SNS that gets completion events; None sends none.

    """

    source_bucket: str
    destination_bucket: str
    failure_queue_url: str
    renditions: tuple[Rendition, ...]
    metadata: MetadataPolicy
    limits: Limits
    filters: tuple[Filter, ...] = (Filter("", ""),)
    mirror_deletes: bool = False
    placeholders: bool = False
    timeout_seconds: int = 120
    signing_key: SigningKey | None = None
    event_target_arn: str | None = None
    manifest: KeyTemplate | None = None

    @property
    def is_signed(self) -> bool:
        """Whether outputs have signed Content Credentials."""
        return self.signing_key is not None

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What every source has in the destination: an output for each rendition, then the manifest."""
        outputs = tuple(
            Target(one.template, one.digest(self.metadata, is_signed=self.is_signed), one) for one in self.renditions
        )
        if self.manifest is None:
            return outputs
        parts = [MANIFEST_VERSION, *(one.digest for one in outputs)]
        if self.placeholders:
            parts.append("placeholders")
        return *outputs, Target(self.manifest, make_digest(parts))

    def why_no_upload(self, key: str) -> str | None:
        """Return why an object of the source bucket is not to be resized; None if it is."""
        if key.endswith("/"):
            return "the key names a folder"
        if not any(one.matches(key) for one in self.filters):
            return "no filter matches the key"
        if self.manifest is not None and key.endswith(MANIFEST_SUFFIX):
            return "the key names a manifest"
        return None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Parse the environment variables that Terraform and Lambda set.

        Raises:
            SettingsError: A variable is missing or invalid. The message names it and says what to set.

        """

        def require(name: str) -> str:
            try:
                return environment[name]
            except KeyError:
                raise SettingsError(f"{name} is not set: deploy with the Terraform module, which sets it") from None

        memory_bytes = (
            _parse_integer("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", require("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) << 20
        )
        max_pixels = environment.get("MAX_PIXELS")
        manifest, target = _parse_manifest(environment.get("MANIFEST")), _parse_events(environment.get("EVENTS"))
        return cls(
            source_bucket=require("SOURCE_BUCKET"),
            destination_bucket=require("DESTINATION_BUCKET"),
            failure_queue_url=require("FAILURE_QUEUE_URL"),
            renditions=_parse_renditions(require("RENDITIONS"), with_manifest=manifest is not None),
            metadata=_parse_metadata(environment.get("METADATA", MetadataPolicy.COPYRIGHT)),
            limits=Limits(memory_bytes, _parse_integer("MAX_PIXELS", max_pixels) if max_pixels else None),
            filters=_parse_filters(environment.get("FILTERS", '[["", ""]]')),
            mirror_deletes=_parse_boolean("MIRROR_DELETES", environment.get("MIRROR_DELETES", "false")),
            manifest=manifest,
            placeholders=_parse_placeholders(
                environment.get("PLACEHOLDERS", "false"), has_place=bool(manifest or target)
            ),
            signing_key=_parse_signing_key(environment.get("CONTENT_CREDENTIALS")),
            event_target_arn=target,
            timeout_seconds=_parse_integer("TIMEOUT_SECONDS", environment.get("TIMEOUT_SECONDS", "120")),
        )


def _parse_json(text: str) -> Any:
    """Parse a setting; return None for invalid JSON, since no valid setting is null."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _parse_filters(text: str) -> tuple[Filter, ...]:
    parsed = _parse_json(text)
    match parsed:
        case [_, *_] if all(isinstance(ends, list) and [type(end) for end in ends] == [str, str] for ends in parsed):
            return tuple(Filter(*ends) for ends in parsed)
        case _:
            raise SettingsError(f'FILTERS must be JSON such as [["photos/", ".jpg"]], not {text!r}')


def _parse_integer(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingsError(f"{name} is {text!r}: it must be a whole number from 1")
    return int(text)


def _parse_boolean(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise SettingsError(f"{name} is {text!r}: use true or false")
    return text == "true"


def _parse_placeholders(text: str, *, has_place: bool) -> bool:
    is_asked = _parse_boolean("PLACEHOLDERS", text)
    if is_asked and not has_place:
        raise SettingsError(
            "placeholders needs manifest or events, which contain them: set either, or remove placeholders."
        )
    return is_asked


def _parse_metadata(text: str) -> MetadataPolicy:
    try:
        return MetadataPolicy(text)
    except ValueError:
        raise SettingsError(f"METADATA is {text!r}: use {', '.join(MetadataPolicy)}") from None


def _parse_manifest(text: str | None) -> KeyTemplate | None:
    if not text:
        return None
    end = "{dir}{name}" + MANIFEST_SUFFIX
    if not text.endswith(end) or not TEMPLATE.fullmatch(text):
        raise SettingsError(f"MANIFEST is {text!r}: it must be {end}, with a prefix that ends in a slash or none")
    return KeyTemplate.of(text, "")


def _parse_signing_key(text: str | None) -> SigningKey | None:
    match _parse_json(text or ""):
        case None if not text:
            return None
        case {"kms_key_arn": str(arn), "certificate_chain": str(chain), **rest} if not rest:
            return SigningKey(kms_key_arn=arn, certificate_chain=chain)
        case {"secret_arn": str(arn), **rest} if not rest:
            return SigningKey(secret_arn=arn)
    raise SettingsError(
        f"CONTENT_CREDENTIALS must be JSON with kms_key_arn and certificate_chain, or with secret_arn, not {text!r}"
    )


def _parse_events(text: str | None) -> str | None:
    """Return the ARN of the target of completion events."""
    if text is None:
        return None
    chosen = _parse_json(text)
    if not isinstance(chosen, dict) or len(chosen) != 1 or not chosen.keys() <= EVENT_TARGETS.keys():
        raise SettingsError("events must set either eventbridge_bus_arn or sns_topic_arn.")
    ((option, arn),) = chosen.items()
    pattern, wanted = EVENT_TARGETS[option]
    if not isinstance(arn, str) or not re.fullmatch(pattern, arn):
        raise SettingsError(f"events.{option} must be {wanted}")
    return arn


def _parse_renditions(text: str, *, with_manifest: bool) -> tuple[Rendition, ...]:
    parsed = _parse_json(text)
    if not isinstance(parsed, dict) or not all(isinstance(options, dict) for options in parsed.values()):
        raise SettingsError(f'RENDITIONS must be a JSON object such as {{"resized": {{"scale": 0.5}}}}, not {text!r}')
    if not parsed:
        raise SettingsError("RENDITIONS is empty: name at least one rendition")
    renditions = tuple(Rendition.parse(name, options) for name, options in sorted(parsed.items()))
    check_no_collisions(renditions, with_manifest=with_manifest)
    return renditions
