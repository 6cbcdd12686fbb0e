"""Hostile keys, metadata, encodings and sizes: each upload gets the right output, or a clear rejection."""

import gzip
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.faults import Fault, inject, release
from tests.images import encode, load, lzma_bomb, picture
from tests.pipeline.conftest import Pipeline
from tools.accept.pipeline import delete_versions
from tools.local.stack import RENDITION

KEYS = {
    "longest": "k" * 1016,
    "deep": "d/" * 500 + "x.jpg",
    "controls": "start\x01 escape\x1b delete\x7f tab\t return\r feed\n null\0.jpg",
    "a line feed at the end": "feed.jpg\n",
    "leading dot-dot": "../x.jpg",
    "inner dot-dot": "a/../b.jpg",
    "leading dot": "./x.jpg",
    "inner dot": "x/./y.jpg",
    "plain": "odd.jpg",
    "leading slash": "/odd.jpg",
    "leading slashes": "//odd.jpg",
    "empty folders": "a//b///odd.jpg",
    "like an output": "resized-odd.jpg",
    "like an output of an output": "resized-resized-odd.jpg",
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
    "noncharacter": "\ufffe\ufffd.jpg",
    "composed": unicodedata.normalize("NFC", "é.jpg"),
    "combining": unicodedata.normalize("NFD", "é.jpg"),
    "only an extension": ".jpg",
    "folder and extension": "a/.jpg",
    "zero": "0",
}
"""Keys of images. Decoding, cleaning or normalising would make some of them equal."""

WIDTHS = {key: 2 * (20 + number) for number, key in enumerate(KEYS.values())}
"""The width of each key's image. All differ, so an output of another key's image is detected."""

IMAGE = encode(picture())


REJECTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "longest key": ("k" * 1024, "key_too_long", {}),
    "shortest key whose output's key is too long": ("k" * 1017, "key_too_long", {}),
    "archived": ("deep-archive.jpg", "archived", {"StorageClass": "DEEP_ARCHIVE"}),
}
"""The key, the reason, and the options of each upload that is rejected."""

OPTIONS: dict[str, tuple[bytes, dict[str, Any]]] = {
    "gzipped.jpg": (gzip.compress(IMAGE), {"ContentEncoding": "gzip"}),
    "labelled-as-gzipped.jpg": (IMAGE, {"ContentEncoding": "gzip"}),
    "instant-retrieval.jpg": (IMAGE, {"StorageClass": "GLACIER_IR"}),
    "much-metadata.jpg": (IMAGE, {"Metadata": {"album": "x" * 2043}}),
    "folder/": (IMAGE, {}),
}
"""The body and options of each other upload, by key."""


@pytest.fixture(scope="module")
def uploaded(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, after all these uploads."""
    for key, width in WIDTHS.items():
        pipeline.upload(key, encode(picture(width, 40)))
    for key, (body, options) in OPTIONS.items():
        pipeline.upload(key, body, **options)
    yield pipeline
    # Terraform can't destroy a bucket with such keys: it sends them in XML, which can't contain control characters.
    delete_versions(pipeline.client("s3"), pipeline.stack.source_bucket, set(KEYS.values()))
    pipeline.remove_outputs(*KEYS.values())


@pytest.mark.parametrize("name", KEYS)
def test_each_key_gets_the_output_of_its_own_image(uploaded: Pipeline, name: str) -> None:
    key = KEYS[name]
    assert uploaded.wait_for_image(key).size == (WIDTHS[key] // 2, 20)


def test_keys_are_unchanged_in_both_buckets(uploaded: Pipeline) -> None:
    # Compare with listings: reading by key would not detect a change that applies to writes and reads alike.
    assert set(KEYS.values()) <= uploaded.list_keys(uploaded.stack.source_bucket)
    for key in KEYS.values():
        uploaded.wait_for_output(key)
    folders_and_names = (key.rpartition("/") for key in KEYS.values())
    outputs = {f"{folder}{slash}resized-{name}" for folder, slash, name in folders_and_names}
    assert outputs <= uploaded.list_keys(uploaded.stack.destination_bucket)


@pytest.mark.parametrize("name", REJECTED)
def test_an_object_that_cannot_be_read_or_written_is_recorded(pipeline: Pipeline, name: str) -> None:
    key, reason, options = REJECTED[name]
    pipeline.upload(key, IMAGE, **options)
    record = pipeline.take_record(key)
    assert (record["key"], record["reason"]) == (key, reason)
    assert pipeline.wait_for_log_line("rejected", key)["reason"] == reason
    assert RENDITION.output_key(key) not in pipeline.list_keys(pipeline.stack.destination_bucket)


@pytest.mark.parametrize("key", ["gzipped.jpg", "labelled-as-gzipped.jpg"])
def test_the_output_of_an_upload_labelled_gzip_is_a_plain_image(uploaded: Pipeline, key: str) -> None:
    output = uploaded.wait_for_output(key)
    assert (output["ContentType"], output.get("ContentEncoding")) == ("image/jpeg", None)
    assert load(output["Bytes"]).size == (160, 120)


def test_an_object_in_glacier_instant_retrieval_is_resized(uploaded: Pipeline) -> None:
    assert uploaded.wait_for_image("instant-retrieval.jpg").size == (160, 120)


def test_an_object_whose_key_names_a_folder_is_ignored(uploaded: Pipeline) -> None:
    assert uploaded.wait_for_log_line("ignored", "folder/")["why"] == "the key names a folder"
    assert "folder/resized-" not in uploaded.list_keys(uploaded.stack.destination_bucket)


def test_metadata_that_leaves_no_room_for_the_label_is_dropped(uploaded: Pipeline) -> None:
    output = uploaded.wait_for_output("much-metadata.jpg")
    assert load(output["Bytes"]).size == (160, 120)
    assert "album" not in output["Metadata"]
    assert uploaded.wait_for_log_line("metadata_dropped", "resized-much-metadata.jpg")["entries"] == ["album"]


def test_metadata_that_is_not_ascii_is_dropped(pipeline: Pipeline) -> None:
    parameters = {"Bucket": pipeline.stack.source_bucket, "Key": "metadata-é.jpg"}
    url = pipeline.client("s3").generate_presigned_url("put_object", Params=parameters)
    # boto3 refuses to send such metadata, but S3 accepts it.
    response = urllib3.request("PUT", url, body=IMAGE, headers={"x-amz-meta-album": "fête".encode().decode("latin-1")})
    assert response.status == 200
    output = pipeline.wait_for_output("metadata-é.jpg")
    assert load(output["Bytes"]).size == (160, 120)
    assert "album" not in output["Metadata"]
    assert pipeline.wait_for_log_line("metadata_dropped", "resized-metadata-é.jpg")["entries"] == ["album"]


def test_an_image_that_runs_out_of_memory_is_rejected_and_others_are_resized(pipeline: Pipeline) -> None:
    # In this process, which has no memory limit, the file can be decoded.
    assert load(lzma_bomb()).size == (320, 240)
    pipeline.upload("greedy.tif", lzma_bomb())
    record = pipeline.take_record("greedy.tif")
    assert (record["reason"], record["message"]) == ("too_large", "decoding ran out of memory: raise memory_size")
    pipeline.upload("neighbour.jpg", IMAGE)
    pipeline.wait_for_output("neighbour.jpg")
    pipeline.remove_outputs("neighbour.jpg")
    reply = pipeline.send(pipeline.make_notification("greedy.tif", "neighbour.jpg"))
    assert [outcome["status"] for outcome in reply["outcomes"]] == ["rejected", "written"]
    pipeline.take_record("greedy.tif")


@pytest.mark.parametrize("key", ["gone.jpg", "gone \x01\x7f\t\r\0é🎂.jpg"])
def test_the_reply_about_a_missing_object_has_its_key(pipeline: Pipeline, key: str) -> None:
    bucket = {"name": pipeline.stack.source_bucket}
    event = {"source": "aws.s3", "detail": {"bucket": bucket, "object": {"key": key}}}
    assert pipeline.send(event) == {"outcomes": [{"status": "gone", "key": key, "outputs": []}]}


def test_the_record_of_an_object_with_a_customer_key_has_its_etag(pipeline: Pipeline) -> None:
    key = "hostile/customer-key.jpg"
    customer_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"0" * 32}
    pipeline.upload(key, IMAGE, **customer_key)
    record = pipeline.take_record(key)
    head = pipeline.client("s3").head_object(Bucket=pipeline.stack.source_bucket, Key=key, **customer_key)
    assert (record["reason"], record["etag"]) == ("customer_key", head["ETag"])


def test_an_object_of_5_gb_is_rejected_by_its_size_without_a_download(pipeline: Pipeline) -> None:
    key, size = "hostile/large.jpg", 5 << 30
    # The response states this length, but only the first bytes arrive.
    large = inject(pipeline.stack.aws, Fault("*", pipeline.stack.source_bucket, key, length=size, times=100))
    try:
        pipeline.upload(key, IMAGE)
        record = pipeline.take_record(key)
    finally:
        release(pipeline.stack.aws, large)
    assert record["reason"] == "too_large"
    assert "resizing needs about 10" in record["message"]
    lines = [json.loads(event["message"]) for event in pipeline.stack.log_events() if event["message"].startswith("{")]
    assert [line["message"] for line in lines if line.get("key") == key] == ["rejected"]
