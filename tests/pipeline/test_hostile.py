"""Odd uploads: each ends as the right image under the right key, or as a clear rejection."""

import gzip
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from tests.faults import Fault, inject, release
from tests.images import encode, load, lzma_bomb, picture
from tests.pipeline.conftest import Pipeline
from tools.local.invocation import log_events
from tools.local.stack import RENDITION

KEYS = {
    "longest": "k" * 1016,
    "deep": "d/" * 500 + "x.jpg",
    "controls": "start\x01 escape\x1b delete\x7f tab\t return\r feed\n null\0.jpg",
    "a line feed at the end": "feed.jpg\n",
    "above": "../x.jpg",
    "between": "a/../b.jpg",
    "here": "./x.jpg",
    "nowhere": "x/./y.jpg",
    "plain": "odd.jpg",
    "slash": "/odd.jpg",
    "slashes": "//odd.jpg",
    "empty folders": "a//b///odd.jpg",
    "like an output": "resized-odd.jpg",
    "like an output of that": "resized-resized-odd.jpg",
    "spaces": " a  b .jpg ",
    "a space": "a b.jpg",
    "plus": "a+b.jpg",
    "encoded space": "a%20b.jpg",
    "encoded plus": "a%2Bb.jpg",
    "encoded slash": "a%2Fb.jpg",
    "percent": "100%.jpg",
    "hash": "a#b.jpg",
    "query": "a?versionId=b&c.jpg",
    "quotes": "'a' \"b\" `c`.jpg",
    "markup": "<a>&amp;&b;</a>.jpg",
    "braces": "{dir}{0}[a]|^~\\.jpg",
    "emoji": "🎂👩\u200d🍳.jpg",
    "right to left": "\u202egpj.x.jpg",
    "no character": "\ufffe\ufffd.jpg",
    "composed": unicodedata.normalize("NFC", "é.jpg"),
    "combining": unicodedata.normalize("NFD", "é.jpg"),
    "only an extension": ".jpg",
    "only an extension in a folder": "a/.jpg",
    "zero": "0",
}
"""Keys of images; those that some decoding, cleaning or normalising would make one stand beside each other."""

WIDTHS = {key: 2 * (20 + number) for number, key in enumerate(KEYS.values())}
"""Each key's image has its own, so that another's is seen."""

IMAGE = encode(picture())


@dataclass(frozen=True)
class Refused:
    """An upload that is rejected.

    Attributes:
        options: Of the upload.

    """

    key: str
    reason: str
    options: dict[str, str]


REFUSED = {
    "longest that there is": Refused("k" * 1024, "key_too_long", {}),
    "too long for its output by a byte": Refused("k" * 1017, "key_too_long", {}),
    "archived": Refused("deep-archive.jpg", "archived", {"StorageClass": "DEEP_ARCHIVE"}),
}

OPTIONS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "gzipped.jpg": (gzip.compress(IMAGE), {"ContentEncoding": "gzip"}),
    "labelled-as-gzipped.jpg": (IMAGE, {"ContentEncoding": "gzip"}),
    "kept-at-hand.jpg": (IMAGE, {"StorageClass": "GLACIER_IR"}),
    "much-metadata.jpg": (IMAGE, {"Metadata": {"album": "x" * 2043}}),
    "folder/": (IMAGE, {}),
}
"""Bodies and options of other uploads."""


@pytest.fixture(scope="module")
def uploaded(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, with all of these uploaded at once."""
    for key, width in WIDTHS.items():
        pipeline.upload(key, encode(picture(width, 40)))
    for key, (body, options) in OPTIONS.items():
        pipeline.upload(key, body, **options)
    yield pipeline
    # Terraform can't destroy a bucket with such keys: XML, in which it asks for deletions, has no control characters.
    pipeline.erase(pipeline.stack.source_bucket, *KEYS.values())
    pipeline.remove_outputs(*KEYS.values())


@pytest.mark.parametrize("name", KEYS)
def test_each_key_has_the_image_of_its_own(uploaded: Pipeline, name: str) -> None:
    key = KEYS[name]
    assert uploaded.image(key).size == (WIDTHS[key] // 2, 20)


def test_no_key_is_changed_on_its_way(uploaded: Pipeline) -> None:
    # What reads as it writes would not tell.
    assert set(KEYS.values()) <= uploaded.keys(uploaded.stack.source_bucket)
    for key in KEYS.values():
        uploaded.output(key)
    folders_and_names = (key.rpartition("/") for key in KEYS.values())
    outputs = {f"{folder}{slash}resized-{name}" for folder, slash, name in folders_and_names}
    assert outputs <= uploaded.keys(uploaded.stack.destination_bucket)


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_have_no_output_is_recorded(pipeline: Pipeline, name: str) -> None:
    refused = REFUSED[name]
    pipeline.upload(refused.key, IMAGE, **refused.options)
    record = pipeline.failure(refused.key)
    assert (record["key"], record["reason"]) == (refused.key, refused.reason)
    assert pipeline.log_line("rejected", refused.key)["reason"] == refused.reason
    assert RENDITION.output_key(refused.key) not in pipeline.keys(pipeline.stack.destination_bucket)


@pytest.mark.parametrize("key", ["gzipped.jpg", "labelled-as-gzipped.jpg"])
def test_what_is_stored_or_labelled_as_gzip_becomes_a_plain_image(uploaded: Pipeline, key: str) -> None:
    output = uploaded.output(key)
    assert (output["ContentType"], output.get("ContentEncoding")) == ("image/jpeg", None)
    assert load(output["Bytes"]).size == (160, 120)


def test_what_is_archived_but_at_hand_is_read(uploaded: Pipeline) -> None:
    assert uploaded.image("kept-at-hand.jpg").size == (160, 120)


def test_a_folder_is_no_object_even_with_an_image_in_it(uploaded: Pipeline) -> None:
    assert uploaded.log_line("ignored", "folder/")["why"] == "the key names a folder"
    assert "folder/resized-" not in uploaded.keys(uploaded.stack.destination_bucket)


def test_metadata_that_leaves_no_room_for_ours_is_dropped(uploaded: Pipeline) -> None:
    output = uploaded.output("much-metadata.jpg")
    assert load(output["Bytes"]).size == (160, 120)
    assert "album" not in output["Metadata"]
    assert uploaded.log_line("metadata_dropped", "resized-much-metadata.jpg")["entries"] == ["album"]


def test_metadata_that_is_not_ascii_is_dropped(pipeline: Pipeline) -> None:
    parameters = {"Bucket": pipeline.stack.source_bucket, "Key": "metadata-é.jpg"}
    url = pipeline.client("s3").generate_presigned_url("put_object", Params=parameters)
    # boto3 refuses it, S3 does not.
    response = urllib3.request("PUT", url, body=IMAGE, headers={"x-amz-meta-album": "fête".encode().decode("latin-1")})
    assert response.status == 200
    output = pipeline.output("metadata-é.jpg")
    assert load(output["Bytes"]).size == (160, 120)
    assert "album" not in output["Metadata"]
    assert pipeline.log_line("metadata_dropped", "resized-metadata-é.jpg")["entries"] == ["album"]


def test_memory_that_runs_out_is_a_rejection_and_harms_no_neighbour(pipeline: Pipeline) -> None:
    # Without the limit that the function sets for itself, this file would be an image.
    assert load(lzma_bomb()).size == (320, 240)
    pipeline.upload("greedy.tif", lzma_bomb())
    record = pipeline.failure("greedy.tif")
    assert (record["reason"], record["message"]) == ("too_large", "decoding ran out of memory: raise memory_size")
    pipeline.upload("neighbour.jpg", IMAGE)
    pipeline.output("neighbour.jpg")
    pipeline.remove_outputs("neighbour.jpg")
    reply = pipeline.send(pipeline.notification("greedy.tif", "neighbour.jpg"))
    assert [outcome["status"] for outcome in reply["outcomes"]] == ["rejected", "written"]
    pipeline.failure("greedy.tif")


@pytest.mark.parametrize("key", ["gone.jpg", "gone \x01\x7f\t\r\0é🎂.jpg"])
def test_what_is_gone_is_told_whatever_its_key(pipeline: Pipeline, key: str) -> None:
    bucket = {"name": pipeline.stack.source_bucket}
    event = {"source": "aws.s3", "detail": {"bucket": bucket, "object": {"key": key}}}
    assert pipeline.send(event) == {"outcomes": [{"status": "gone", "key": key, "outputs": []}]}


def test_what_only_its_uploader_has_the_key_of_is_a_rejection(pipeline: Pipeline) -> None:
    key = "hostile/customer-key.jpg"
    secret = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0" * 32}
    pipeline.upload(key, IMAGE, **secret)
    record = pipeline.failure(key)
    head = pipeline.client("s3").head_object(Bucket=pipeline.stack.source_bucket, Key=key, **secret)
    assert (record["reason"], record["etag"]) == ("customer_key", head["ETag"])


def test_an_object_of_5_gb_is_refused_by_its_size_and_never_read(pipeline: Pipeline) -> None:
    key, size = "hostile/large.jpg", 5 << 30
    # S3 says so, and what follows its first bytes never comes.
    large = inject(pipeline.stack.aws, Fault("*", pipeline.stack.source_bucket, key, length=size, times=100))
    try:
        pipeline.upload(key, IMAGE)
        record = pipeline.failure(key)
    finally:
        release(pipeline.stack.aws, large)
    assert record["reason"] == "too_large"
    assert "decoding needs about 10" in record["message"]
    lines = [json.loads(event["message"]) for event in log_events(pipeline.stack) if event["message"].startswith("{")]
    assert [line["message"] for line in lines if line.get("key") == key] == ["rejected"]
