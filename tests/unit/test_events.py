"""Envelopes: which objects an event is about."""

import json
from pathlib import Path
from typing import Any

import pytest

from errors import EventError
from events import ObjectAddress, addresses

EVENTS = Path(__file__).parents[2] / "events"


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return event


def test_the_classic_put_names_its_object() -> None:
    assert addresses(load("put.json")) == (ObjectAddress("src-bucket-image-in", "cake.jpg"),)


def test_keys_of_s3_notifications_are_form_decoded() -> None:
    assert addresses(load("put-several.json")) == (
        ObjectAddress("src-bucket-image-in", "a/b c+d%é.jpg"),
        ObjectAddress("src-bucket-image-in", "cake.jpg"),
    )


def test_keys_of_eventbridge_are_taken_as_they_are() -> None:
    assert addresses(load("eventbridge.json")) == (ObjectAddress("src-bucket-image-in", "a/b c+d%é.jpg"),)


@pytest.mark.parametrize(
    "change", [{"source": "aws.ec2"}, {"detail-type": "Object Deleted"}, {"detail": {"object": {"key": "cake.jpg"}}}]
)
def test_another_event_of_eventbridge_is_an_error_that_shows_it(change: dict[str, object]) -> None:
    with pytest.raises(EventError, match="no known shape"):
        addresses(load("eventbridge.json") | change)


def test_an_object_named_twice_is_looked_at_once() -> None:
    event = load("put.json")
    event["Records"] *= 3
    assert len(addresses(event)) == 1


def test_the_event_that_s3_sends_to_test_a_notification_is_about_nothing() -> None:
    assert addresses(load("test-event.json")) == ()


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.6"])
def test_every_minor_version_is_accepted(version: str) -> None:
    event = load("put.json")
    event["Records"][0]["eventVersion"] = version
    assert len(addresses(event)) == 1


@pytest.mark.parametrize(
    "change", [{"eventVersion": "3.0"}, {"eventSource": "aws:sns"}, {"s3": {}}, {"eventVersion": 2}]
)
def test_a_record_of_another_kind_is_an_error_that_shows_it(change: dict[str, object]) -> None:
    event = load("put.json")
    event["Records"][0] |= change
    with pytest.raises(EventError, match="no S3 notification of version 2: "):
        addresses(event)


@pytest.mark.parametrize("event", [None, {}, [], "cake.jpg", {"Records": "x"}, {"key": "é" * 1000}])
def test_an_unknown_shape_is_an_error_that_shows_at_most_200_characters(event: object) -> None:
    with pytest.raises(EventError, match="no known shape") as caught:
        addresses(event)
    assert str(caught.value).endswith(json.dumps(event, ensure_ascii=False)[:200])
