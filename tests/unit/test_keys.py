"""Arbitrary keys: every envelope preserves them, and each has its own output."""

import json
import unicodedata
from unittest.mock import Mock
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aws.destination import Destination
from aws.events import parse
from aws.outcomes import ObjectAddress
from errors import Reason, RejectedError
from renditions import Rendition, Target

PIECES = ("a", "é", "e\u0301", "E", ".", "./", "../", "/", " ", "+", "%20", "%2B", "resized-", ".jpg", "\n", "\0", "🎂")
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40) | st.lists(
    st.sampled_from(PIECES), min_size=1, max_size=8
).map("".join)
LONG_KEYS = st.builds(
    lambda start, letter, size: start + letter * ((size - len(start.encode())) // len(letter.encode())),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.sampled_from("aé🎂/"),
    st.integers(1000, 1024),
)
TEMPLATES = st.sampled_from(
    ["{dir}{rendition}-{name}", "{rendition}/{dir}{name}", "{dir}{stem}/{name}.{ext}", "a/b/{dir}a/b-{name}-a.b"]
)

CHANGES = (
    lambda key: unicodedata.normalize("NFC", key),
    lambda key: unicodedata.normalize("NFD", key),
    str.strip,
    str.casefold,
    lambda key: key.lstrip("/"),
    lambda key: key.replace("//", "/"),
    lambda key: key.replace("./", ""),
    lambda key: "resized-" + key,
    lambda key: key.removeprefix("resized-"),
    quote,
    quote_plus,
)
"""Normalisations that code might apply to a key by mistake."""


@example("k" * 1016, "{dir}{rendition}-{name}")
@given(KEYS | LONG_KEYS, TEMPLATES)
def test_an_output_key_beyond_the_limit_of_s3_is_rejected(key: str, template: str) -> None:
    rendition = Rendition("resized", scale=0.5, key=template)
    destination = Destination(Mock(), "out", (Target(rendition.template, "digest", rendition),))
    size = len(rendition.output_key(key).encode())
    if size <= 1024:
        assert destination.keys(key) == (rendition.output_key(key),)
    else:
        with pytest.raises(RejectedError, match=f"has {size} bytes, S3 allows 1024") as caught:
            destination.keys(key)
        assert caught.value.reason is Reason.KEY_TOO_LONG


@given(KEYS, KEYS, TEMPLATES)
def test_two_keys_never_share_an_output(key: str, other: str, template: str) -> None:
    rendition = Rendition("resized", scale=0.5, key=template)
    for another in (other, *(change(key) for change in CHANGES)):
        assert (rendition.output_key(key) == rendition.output_key(another)) == (key == another)


@given(KEYS)
def test_every_envelope_preserves_the_key(key: str) -> None:
    bucket, form = {"name": "in"}, quote_plus(key, safe="/")
    put = {
        "Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "s3": {"bucket": bucket, "object": {"key": form}}}]
    }
    job = {
        "invocationSchemaVersion": "2.0",
        "invocationId": "1",
        "tasks": [{"taskId": "1", "s3Key": form, "s3Bucket": "in"}],
    }
    events = (
        put,
        job,
        {"source": "aws.s3", "detail": {"bucket": bucket, "object": {"key": key}}},
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": json.dumps(put)}]},
        {"bucket": "in", "key": key, "etag": '"etag"', "reason": "corrupt"},
    )
    assert [tuple(parse(event).events) for event in events] == [(ObjectAddress("in", key),)] * len(events)
