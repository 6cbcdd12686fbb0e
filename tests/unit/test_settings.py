"""Settings: valid values of the environment, and the messages for invalid ones."""

import json
import re
from dataclasses import replace

import pytest

from aws.settings import EVENT_TARGETS, Filter, Settings, SigningKey
from errors import SettingsError
from renditions import DEFAULT_METADATA, MetadataPolicy, Rendition
from tests.unit.conftest import ENVIRONMENT

BUS, TOPIC = "arn:aws:events:eu-west-2:123456789012:event-bus/media", "arn:aws:sns:eu-west-2:123456789012:media"


def test_settings_are_read_from_the_environment() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    assert (settings.source_bucket, settings.destination_bucket) == ("uploads", "resized")
    assert settings.failure_queue_url == "https://sqs.invalid/"
    assert settings.renditions == (Rendition("resized", scale=0.5),)
    assert settings.limits.memory_bytes == 1769 * 1024 * 1024
    assert settings.metadata == DEFAULT_METADATA


@pytest.mark.parametrize("name", sorted(ENVIRONMENT.keys() - {"AWS_DEFAULT_REGION"}))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not set"):
        Settings.from_environment({other: value for other, value in ENVIRONMENT.items() if other != name})


@pytest.mark.parametrize("renditions", ["", "[]", "5", '{"resized": 0.5}', "{not json}"])
def test_renditions_must_be_a_json_object(renditions: str) -> None:
    with pytest.raises(SettingsError, match="RENDITIONS must be a JSON object"):
        Settings.from_environment(ENVIRONMENT | {"RENDITIONS": renditions})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RENDITIONS", "{}", "RENDITIONS is empty"),
        ("RENDITIONS", '{"a": {"scale": 2}}', r"renditions\.a\.scale is 2: it must be from 0.0001 to 1"),
        ("RENDITIONS", '{"a": {"scale": 1}, "a-b": {"scale": 1}}', r"renditions\.a and renditions\.a-b could write"),
        ("METADATA", "some", "METADATA is 'some': use none, copyright, all"),
        ("MAX_PIXELS", "-1", "MAX_PIXELS is '-1': it must be a whole number from 1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much", "must be a whole number"),
        ("TIMEOUT_SECONDS", "0", "TIMEOUT_SECONDS is '0': it must be a whole number from 1"),
        ("FILTERS", "{}", r"FILTERS must be JSON such as .*, not '{}'"),
        ("FILTERS", "[]", "FILTERS must be JSON such as"),
        ("FILTERS", '[["a/"]]', "FILTERS must be JSON such as"),
        ("FILTERS", "[[1, 2]]", "FILTERS must be JSON such as"),
        ("FILTERS", "photos/", "FILTERS must be JSON such as"),
        (
            "CONTENT_CREDENTIALS",
            "{not json}",
            "CONTENT_CREDENTIALS must be JSON with kms_key_arn and certificate_chain, or",
        ),
        ("CONTENT_CREDENTIALS", "null", "or with secret_arn, not 'null'"),
        ("CONTENT_CREDENTIALS", '{"kms_key_arn": "arn"}', "CONTENT_CREDENTIALS must be JSON with"),
        ("CONTENT_CREDENTIALS", '{"secret_arn": "arn", "kms_key_arn": "arn"}', "CONTENT_CREDENTIALS must be JSON with"),
        ("CONTENT_CREDENTIALS", '{"secret_arn": null}', "CONTENT_CREDENTIALS must be JSON with"),
        *(
            ("EVENTS", text, r"^events must set either eventbridge_bus_arn or sns_topic_arn\.$")
            for text in (
                "",
                "null",
                "[]",
                "{}",
                f'{{"eventbridge_bus_arn": "{BUS}", "sns_topic_arn": "{TOPIC}"}}',
                '{"a": 1}',
            )
        ),
        *(
            ("EVENTS", json.dumps({option: value}), f"^events.{option} must be {re.escape(EVENT_TARGETS[option][1])}$")
            for option, values in (
                ("eventbridge_bus_arn", ("media", BUS.replace("media", "*"), f"{BUS}/media", TOPIC, None)),
                ("sns_topic_arn", (f"{TOPIC}.fifo", f"{TOPIC}:a", f"{TOPIC}\n", BUS)),
            )
            for value in values
        ),
        ("MANIFEST", "true", r"MANIFEST is 'true': it must be {dir}{name}\.renditions\.json, with a prefix that ends"),
        ("MANIFEST", "resized-{dir}{name}.renditions.json", "MANIFEST is 'resized-{dir}"),
        ("PLACEHOLDERS", "true", "placeholders needs manifest or events, which contain them: set either"),
        ("PLACEHOLDERS", "yes", "PLACEHOLDERS is 'yes': use true or false"),
        ("MIRROR_DELETES", "yes", "MIRROR_DELETES is 'yes': use true or false"),
    ],
)
def test_an_invalid_value_is_named_with_the_fix(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment(ENVIRONMENT | {name: value})


def test_optional_settings_and_their_defaults() -> None:
    settings = Settings.from_environment(
        ENVIRONMENT | {"METADATA": "none", "MAX_PIXELS": "1000000", "FILTERS": '[["uploads/", ".jpg"]]'}
    )
    assert (settings.metadata, settings.limits.max_pixels) == (MetadataPolicy.NONE, 1_000_000)
    assert settings.filters == (Filter("uploads/", ".jpg"),)
    reasons = [settings.why_no_upload(key) for key in ("uploads/a.jpg", "a.jpg", "uploads/a.png")]
    assert reasons == [None, "no filter matches the key", "no filter matches the key"]
    changed = Settings.from_environment(ENVIRONMENT | {"MIRROR_DELETES": "true", "TIMEOUT_SECONDS": "900"})
    assert (changed.mirror_deletes, changed.timeout_seconds) == (True, 900)
    kms = {"kms_key_arn": "arn:kms", "certificate_chain": "PEM"}
    for chosen in (kms, {"secret_arn": "arn:secret"}):
        signed = Settings.from_environment(ENVIRONMENT | {"CONTENT_CREDENTIALS": json.dumps(chosen)})
        assert (signed.signing_key, signed.is_signed) == (SigningKey(**chosen), True)
    for option, arn in (("eventbridge_bus_arn", BUS), ("sns_topic_arn", TOPIC)):
        assert Settings.from_environment(ENVIRONMENT | {"EVENTS": json.dumps({option: arn})}).event_target_arn == arn
    settings = Settings.from_environment(ENVIRONMENT)
    assert settings.event_target_arn is None
    assert (settings.signing_key, settings.is_signed) == (None, False)
    assert (settings.metadata, settings.limits.max_pixels) == (MetadataPolicy.COPYRIGHT, None)
    reasons = [settings.why_no_upload(key) for key in ("a", "b/c.jpg", "b.renditions.json", "b/")]
    assert reasons == [None, None, None, "the key names a folder"]
    assert (settings.mirror_deletes, settings.timeout_seconds) == (False, 120)


def test_placeholders_need_a_manifest_or_an_event() -> None:
    chosen = {"PLACEHOLDERS": "true", "MANIFEST": "{dir}{name}.renditions.json"}
    assert Settings.from_environment(ENVIRONMENT | chosen).placeholders
    events = {"EVENTS": '{"sns_topic_arn": "arn:aws:sns:eu-west-2:123456789012:media"}'}
    assert Settings.from_environment(ENVIRONMENT | events | {"PLACEHOLDERS": "true"}).placeholders
    assert not Settings.from_environment(ENVIRONMENT).placeholders


def test_a_manifest_has_a_prefix_and_is_no_upload() -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"MANIFEST": "out/{dir}{name}.renditions.json"})
    assert settings.targets[-1].template.fill("a/cake.jpg") == "out/a/cake.jpg.renditions.json"
    reasons = [settings.why_no_upload(key) for key in ("a/cake.jpg", "a/cake.jpg.renditions.json")]
    assert reasons == [None, "the key names a manifest"]


def test_a_manifests_digest_depends_on_all_that_it_contains() -> None:
    base = Settings.from_environment(ENVIRONMENT | {"MANIFEST": "{dir}{name}.renditions.json"})
    others = [
        replace(base, metadata=MetadataPolicy.ALL),
        replace(base, signing_key=SigningKey("arn:kms", "PEM")),
        replace(base, renditions=(*base.renditions, Rendition("another", scale=1))),
        replace(base, renditions=(replace(base.renditions[0], quality=7), *base.renditions[1:])),
        replace(base, placeholders=True),
    ]
    assert len({one.targets[-1].digest for one in (base, *others)}) == 6
    assert [one.digest for one in replace(base, manifest=None).targets] == [one.digest for one in base.targets[:-1]]


def test_a_rendition_must_not_write_manifests() -> None:
    colliding = {"RENDITIONS": '{"one": {"scale": 1, "key": "{dir}{name}.json"}}'}
    assert Settings.from_environment(ENVIRONMENT | colliding)
    with pytest.raises(SettingsError, match=r"renditions\.one and the manifest could write one key"):
        Settings.from_environment(ENVIRONMENT | colliding | {"MANIFEST": "{dir}{name}.renditions.json"})
