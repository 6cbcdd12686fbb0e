"""Reconciles one object, with moto's S3 and SQS in this process."""

import base64
import contextlib
import gzip
import hashlib
import io
import itertools
import json
import logging
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import boto3
import jsonschema
import pytest
import urllib3
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from moto import mock_aws
from moto.server import ThreadedMotoServer
from PIL import Image

from aws import reconcile
from aws.description import Description, RenditionDescription, SourceDescription
from aws.outcomes import EventType, ObjectAddress, ObjectEvent, Outcome, Status
from aws.reconcile import Reconciler
from aws.settings import Filter, Settings
from errors import EventError, LateError, Reason, UnsettledError
from imaging import render
from imaging.limits import RUNTIME_BYTES, Limits
from imaging.render import Rendered
from key_template import KeyTemplate
from renditions import MetadataPolicy, Rendition
from tests.images import UPRIGHT_CORNERS, corners, encode, encode_oriented, load, picture
from tools.common.paths import ROOT
from tools.local.aws import s3_patches

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

s3_patches.report_delete_markers()
s3_patches.accept_if_match_any()

SOURCE, DESTINATION = "src-bucket-image-in", "dest-bucket-image-out"
CAKE = ObjectAddress(SOURCE, "cake.jpg")


def unlimited_seconds() -> float:
    """Return the seconds that an invocation has left."""
    return math.inf


def settings(source: str, queue_url: str) -> Settings:
    renditions = (Rendition("resized", scale=0.5),)
    return Settings(source, DESTINATION, queue_url, renditions, MetadataPolicy.COPYRIGHT, Limits(512 << 20))


@dataclass
class Pipeline:
    """Both buckets, the failure queue and the reconciler."""

    s3: "S3Client"
    sqs: "SQSClient"
    settings: Settings

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(s3=self.s3, settings=self.settings)

    def reconcile(self, address: ObjectAddress = CAKE, *events: ObjectEvent) -> Outcome:
        """Reconcile one object and record a rejection, as the handler does."""
        outcome = self.reconciler.reconcile(address, unlimited_seconds, events)
        if outcome.rejection:
            self.sqs.send_message(QueueUrl=self.settings.failure_queue_url, MessageBody=outcome.rejection.to_json())
        return outcome

    def upload(self, key: str = "cake.jpg", body: bytes | None = None, **options: Any) -> None:
        self.s3.put_object(Bucket=SOURCE, Key=key, Body=encode(picture()) if body is None else body, **options)

    def output(self, key: str = "resized-cake.jpg") -> bytes:
        return self.s3.get_object(Bucket=DESTINATION, Key=key)["Body"].read()

    def outputs(self) -> list[str]:
        return [found["Key"] for found in self.s3.list_objects_v2(Bucket=DESTINATION).get("Contents", [])]

    def records(self) -> list[dict[str, Any]]:
        received = self.sqs.receive_message(QueueUrl=self.settings.failure_queue_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        s3 = boto3.client("s3", region_name="eu-west-2")
        sqs = boto3.client("sqs", region_name="eu-west-2")
        for bucket in (SOURCE, DESTINATION):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        queue_url = sqs.create_queue(QueueName="Lambda-image-failures")["QueueUrl"]
        yield Pipeline(s3, sqs, settings(SOURCE, queue_url))


def keep_versions(pipeline: Pipeline, *buckets: str) -> None:
    for bucket in buckets:
        pipeline.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def run_before_next(s3: "S3Client", operation: str, action: Callable[[], object]) -> None:
    """Run ``action`` once, just before the next ``operation`` (boto3's name for it) is sent."""
    event = f"before-call.s3.{operation}"

    def once(**_: object) -> None:
        s3.meta.events.unregister(event, once)
        action()

    s3.meta.events.register(event, once)


def test_an_upload_becomes_a_resized_image(pipeline: Pipeline) -> None:
    pipeline.upload()
    outcome = pipeline.reconcile()
    assert (outcome.status, outcome.output_keys) == (Status.WRITTEN, ("resized-cake.jpg",))
    image = load(pipeline.output())
    assert image.size == (160, 120)
    assert corners(image) == UPRIGHT_CORNERS
    assert pipeline.records() == []


FRAMES = [picture(300, 250, mode="L").rotate(angle) for angle in (0, 180)]
ANIMATION = encode(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:], duration=50)


@pytest.mark.parametrize(
    ("key", "body", "megapixels"),
    # The pixels of all frames count, and those of a JPEG before its decoder shrinks it.
    [("cake.gif", ANIMATION, 0.15), ("cake.jpg", encode(picture(1000, 1234)), 1.234)],
    ids=["animation", "jpeg"],
)
def test_the_log_adds_up_pixels_and_outputs(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, key: str, body: bytes, megapixels: float
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    renditions = (Rendition("half", scale=0.5), Rendition("tile", width=10))
    pipeline.settings = replace(pipeline.settings, renditions=renditions)
    pipeline.upload(key, body)
    pipeline.reconcile(ObjectAddress(SOURCE, key))
    (written,) = [record.__dict__ for record in caplog.records if record.message == "written"]
    assert (written["megapixels"], written["output_count"]) == (megapixels, 2)
    assert written["output_bytes"] == sum(len(pipeline.output(output)) for output in pipeline.outputs())


@pytest.mark.parametrize("share", [reconcile.SMALL_SHARE, 1 << 30], ids=["before its turn", "in its turn"])
def test_reading_and_rendering_are_timed_separately(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    monkeypatch.setattr(reconcile, "SMALL_SHARE", share)
    now = [0.0]

    def take(seconds: float) -> None:
        now[0] += seconds

    def render_observed(*arguments: Any, **options: Any) -> Rendered:
        take(0.25)
        return render.render(*arguments, **options)

    monkeypatch.setattr(reconcile, "time", Mock(perf_counter=lambda: now[0]))
    monkeypatch.setattr(reconcile, "render", render_observed)
    pipeline.upload(body=encode(picture(), "PNG"))
    spy_on_reads(monkeypatch, lambda: take(2))
    run_before_next(pipeline.s3, "PutObject", lambda: take(4))
    pipeline.reconcile()
    (written,) = [record.__dict__ for record in caplog.records if record.message == "written"]
    assert (written["read_milliseconds"], written["render_milliseconds"]) == (2000, 250)
    assert written["milliseconds"] == 6250


def test_the_sources_headers_and_metadata_are_copied(pipeline: Pipeline) -> None:
    pipeline.upload(
        CacheControl="max-age=60",
        ContentDisposition="inline",
        ContentLanguage="cy",
        ContentType="application/octet-stream",
        Metadata={"album": "summer", "resized-by": "a copy of an output has this", "resized-lost": "bits"},
    )
    pipeline.reconcile()
    output = pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")
    assert output["ContentType"] == "image/jpeg"
    assert (output["CacheControl"], output["ContentDisposition"], output["ContentLanguage"]) == (
        "max-age=60",
        "inline",
        "cy",
    )
    source = pipeline.s3.head_object(Bucket=SOURCE, Key="cake.jpg")
    assert output["Metadata"] == {
        "album": "summer",
        "resized-by": Rendition("resized", scale=0.5).digest(MetadataPolicy.COPYRIGHT),
        "resized-from-etag": source["ETag"].strip('"'),
        "resized-from-modified": source["LastModified"].isoformat(),
        "resized-from-version": "null",
    }


def test_losses_are_logged_and_named_in_the_metadata(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    pipeline.upload(body=encode(picture(), icc_profile=b"damaged").removesuffix(b"\xff\xd9"))
    pipeline.reconcile()
    output = pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")
    assert output["Metadata"]["resized-lost"] == "profile,damage"
    (written,) = [record.__dict__ for record in caplog.records if record.message == "written"]
    assert written["lost"] == {
        "profile": "the colour profile is damaged and was left out",
        "damage": "the end marker is missing and was added",
    }
    assert [one["lost"] for one in written["outputs"]] == [["profile", "damage"]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline on a moto server: without HTTP, moto would pass headers as strings, not bytes."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3 = boto3.client("s3", "us-east-1", endpoint_url=f"http://{host}:{port}")
        for bucket in (SOURCE, DESTINATION):
            s3.create_bucket(Bucket=bucket)
        yield Pipeline(s3, Mock(), settings(SOURCE, "no queue"))
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [
        ('attachment; filename="cake.jpg"', True),
        ('attachment; filename="gâteau Å….jpg"', True),
        ('attachment; filename="ケーキ🎂.jpg"', True),
        # botocore signs this space as an ASCII space, but sends it unchanged.
        ('attachment; filename="ケー\u3000キ.jpg"', False),
        # botocore writes headers as UTF-8 only.
        ('attachment; filename="gâteau.jpg"'.encode("latin-1"), False),
    ],
)
def test_a_header_is_copied_byte_by_byte_or_dropped_with_a_log_line(
    served: Pipeline, caplog: pytest.LogCaptureFixture, sent: str | bytes, is_kept: bool
) -> None:
    url = served.s3.generate_presigned_url("put_object", Params={"Bucket": SOURCE, "Key": "cake.jpg"})
    header = (sent.encode() if isinstance(sent, str) else sent).decode("latin-1")
    assert urllib3.request("PUT", url, body=encode(picture()), headers={"Content-Disposition": header}).status == 200
    served.reconcile()
    was = served.s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ContentDisposition"]
    output = served.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")
    assert was == header
    assert output.get("ContentDisposition") == (was if is_kept else None)
    dropped = [record.__dict__["entries"] for record in caplog.records if record.message == "metadata_dropped"]
    assert dropped == ([] if is_kept else [["ContentDisposition"]])


def test_headers_of_a_rendition_replace_the_sources(pipeline: Pipeline) -> None:
    rendition = Rendition("resized", scale=0.5, cache_control="no-store", storage_class="STANDARD_IA")
    pipeline.settings = replace(pipeline.settings, renditions=(rendition,))
    pipeline.upload(CacheControl="max-age=60")
    pipeline.reconcile()
    output = pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")
    assert (output["CacheControl"], output["StorageClass"]) == ("no-store", "STANDARD_IA")


@pytest.mark.parametrize(
    ("value", "is_kept"), [("0.9,0.5", True), ("0.1,0.5", False), ("9,9", None), ("<script>" * 20, None)]
)
def test_the_uploader_s_point_is_kept_and_a_broken_one_is_logged(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, value: str, is_kept: bool | None
) -> None:
    rendition = Rendition("resized", width=10, height=240, fit="cover", focus="metadata")
    pipeline.settings = replace(pipeline.settings, renditions=(rendition,))
    image = Image.new("RGB", (320, 240), "blue")
    image.paste("red", (240, 0, 320, 240))
    pipeline.upload(body=encode(image), Metadata={"focus": value})
    assert pipeline.reconcile().status == Status.WRITTEN
    output = load(pipeline.s3.get_object(Bucket=DESTINATION, Key="resized-cake.jpg")["Body"].read())
    red, _, blue = output.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert (red > blue) is bool(is_kept)
    ignored = [record.__dict__["focus"] for record in caplog.records if record.message == "focus_ignored"]
    assert ignored == ([value[:40]] if is_kept is None else [])


@pytest.mark.parametrize(
    ("focus", "fit", "is_copied"),
    [
        ("metadata", "inside", True),
        ("metadata", "cover", False),
        ("metadata", "contain", False),
        # Without a rendition that keeps it, the entry may mean anything.
        ("center", "cover", True),
    ],
)
def test_an_output_has_the_point_of_its_source_only_if_it_shows_the_whole(
    pipeline: Pipeline, focus: str, fit: str, is_copied: bool
) -> None:
    tile = Rendition("tile", width=10, height=10, fit="cover", focus=focus)
    pipeline.settings = replace(
        pipeline.settings, renditions=(tile, Rendition("resized", width=20, height=30, fit=fit))
    )
    pipeline.upload(Metadata={"focus": "0.3,0.7", "album": "summer"})
    pipeline.reconcile()
    metadata = pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")["Metadata"]
    assert ("focus" in metadata) == is_copied
    assert metadata["album"] == "summer"


@pytest.mark.parametrize("excess", [0, 1])
def test_all_metadata_of_the_source_is_dropped_if_it_exceeds_the_limit(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, excess: int
) -> None:
    def metadata() -> dict[str, str]:
        pipeline.reconcile()
        return pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")["Metadata"]

    pipeline.upload()
    ours = sum(len(name) + len(value) for name, value in metadata().items())
    theirs = {"small": "x", "large": "x" * (2048 - ours - len("smallxlarge") + excess)}
    pipeline.upload(Metadata=theirs)
    assert (theirs.items() <= metadata().items(), not theirs.keys() & metadata().keys()) == (not excess, bool(excess))
    dropped = [record.__dict__["entries"] for record in caplog.records if record.message == "metadata_dropped"]
    assert dropped == [["large", "small"]] * 2 * excess


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("empty.jpg", b"", "not_an_image"),
        ("text.jpg", b"no image", "not_an_image"),
        ("truncated.jpg", encode(picture())[:2000], "corrupt"),
        ("many pixels.png", encode(Image.new("1", (20000, 20000)), "PNG"), "too_large"),
        ("é" * 510, encode(picture()), "key_too_long"),
    ],
    ids=["empty", "text", "truncated", "many pixels", "long key"],
)
def test_a_rejection_is_recorded_once(pipeline: Pipeline, key: str, body: bytes, reason: str) -> None:
    pipeline.upload(key, body)
    assert pipeline.reconcile(ObjectAddress(SOURCE, key)).status is Status.REJECTED
    (record,) = pipeline.records()
    assert list(record) == ["bucket", "key", "version_id", "etag", "reason", "message", "at"]
    assert (record["bucket"], record["key"], record["reason"]) == (SOURCE, key, reason)
    assert record["etag"] == pipeline.s3.head_object(Bucket=SOURCE, Key=key)["ETag"]
    assert pipeline.outputs() == []


def test_an_object_larger_than_the_memory_is_not_downloaded(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.upload()
    pipeline.settings = replace(pipeline.settings, limits=Limits(RUNTIME_BYTES + 1000))
    calls = spy_on_body(monkeypatch)
    assert pipeline.reconcile().status is Status.REJECTED
    assert calls == ["close"]
    (record,) = pipeline.records()
    assert record["reason"] == "too_large"
    assert "this function has 0 MiB for it" in record["message"]


def test_a_deleted_object_is_gone(pipeline: Pipeline) -> None:
    assert pipeline.reconcile().status is Status.GONE
    assert pipeline.records() == []


def test_an_object_deleted_during_its_rejection_is_gone(pipeline: Pipeline) -> None:
    pipeline.upload(body=b"no image")
    run_before_next(pipeline.s3, "HeadObject", lambda: pipeline.s3.delete_object(Bucket=SOURCE, Key="cake.jpg"))
    assert pipeline.reconcile().status is Status.GONE
    assert pipeline.records() == []


def test_a_folder_is_ignored(pipeline: Pipeline) -> None:
    pipeline.upload("holiday/", b"")
    assert pipeline.reconcile(ObjectAddress(SOURCE, "holiday/")).status is Status.IGNORED


def test_a_copy_of_an_output_is_an_upload(pipeline: Pipeline) -> None:
    pipeline.upload()
    pipeline.reconcile()
    pipeline.s3.copy_object(
        Bucket=SOURCE, Key="resized-cake.jpg", CopySource={"Bucket": DESTINATION, "Key": "resized-cake.jpg"}
    )
    assert pipeline.reconcile(ObjectAddress(SOURCE, "resized-cake.jpg")).output_keys == ("resized-resized-cake.jpg",)


def share_bucket(pipeline: Pipeline, *filters: Filter) -> Reconciler:
    """Return a reconciler that writes ``resized/a/resized-cake.jpg`` for ``a/cake.jpg`` into the source bucket."""
    rendition = Rendition("resized", scale=0.5, key="resized/{dir}resized-{name}")
    one = replace(pipeline.settings, filters=filters, destination_bucket=SOURCE, renditions=(rendition,))
    return replace(pipeline.reconciler, settings=one)


def test_an_object_that_matches_no_filter_is_ignored_without_a_read(pipeline: Pipeline) -> None:
    reconciler = share_bucket(pipeline, Filter("uploads/", ".jpg"), Filter("logos/", ".png"))
    for key in ("uploads/cake.jpg", "cake.jpg"):
        pipeline.upload(key)
    outcome = reconciler.reconcile(ObjectAddress(SOURCE, "uploads/cake.jpg"), unlimited_seconds)
    assert outcome.output_keys == ("resized/uploads/resized-cake.jpg",)
    # The role may not read other objects.
    run_before_next(pipeline.s3, "GetObject", lambda: pytest.fail("was read"))
    for key in ("cake.jpg", "resized/uploads/resized-cake.jpg", "uploads", "uploads/cake.JPG", "uploads/cake.png"):
        assert reconciler.reconcile(ObjectAddress(SOURCE, key), unlimited_seconds).status is Status.IGNORED


def test_in_a_shared_bucket_only_outputs_are_ignored(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    reconciler = share_bucket(pipeline, Filter("", ""))
    pipeline.upload("cake.jpg")
    (output,) = reconciler.reconcile(CAKE, unlimited_seconds).output_keys
    with monkeypatch.context() as patch:
        calls = spy_on_body(patch)
        assert reconciler.reconcile(ObjectAddress(SOURCE, output), unlimited_seconds).status is Status.IGNORED
    assert calls == ["close"]
    # One object has an output's key without the marker, the other has the marker under another key.
    pipeline.upload("resized/theirs.jpg")
    pipeline.s3.copy_object(Bucket=SOURCE, Key="copy.jpg", CopySource={"Bucket": SOURCE, "Key": output})
    for key in ("resized/theirs.jpg", "copy.jpg"):
        assert reconciler.reconcile(ObjectAddress(SOURCE, key), unlimited_seconds).status is Status.WRITTEN


def spy_on_body(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each read and close of an object's body is added."""
    calls: list[str] = []
    for name in ("read", "close"):
        monkeypatch.setattr(StreamingBody, name, lambda _, *__, name=name: calls.append(name))
    return calls


def test_an_object_of_another_bucket_is_an_error_without_a_request(pipeline: Pipeline) -> None:
    reconciler = replace(enable_mirroring(pipeline, "a").reconciler, s3=Mock(spec=[]))
    for key in ("cake.jpg", "resized-cake.jpg", "folder/"):
        with pytest.raises(EventError, match=f"'{DESTINATION}', but this function's source is '{SOURCE}'"):
            reconciler.reconcile(ObjectAddress(DESTINATION, key), unlimited_seconds)


@pytest.mark.parametrize("operation", ["PutObject", "HeadObject"])
def test_an_upload_during_processing_wins(pipeline: Pipeline, operation: str) -> None:
    pipeline.upload()
    newer = connect_again(pipeline)
    run_before_next(pipeline.s3, operation, lambda: newer.upload(body=encode(picture(100, 50))))
    pipeline.reconcile()
    assert load(pipeline.output()).size == (50, 25)


def test_new_metadata_on_the_same_bytes_is_a_change(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    pipeline.upload(Metadata={"album": "old"})
    newer = connect_again(pipeline)
    run_before_next(pipeline.s3, "PutObject", lambda: newer.upload(Metadata={"album": "new"}))
    pipeline.reconcile()
    assert pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")["Metadata"]["album"] == "new"


def test_an_object_that_changes_in_every_attempt_is_retried(pipeline: Pipeline) -> None:
    sizes = iter(range(100, 200))
    newer = connect_again(pipeline)
    pipeline.upload()
    pipeline.s3.meta.events.register(
        "before-call.s3.HeadObject", lambda **_: newer.upload(body=encode(picture(next(sizes), 50)))
    )
    with pytest.raises(UnsettledError, match="In each of 3 attempts s3://src-bucket-image-in/cake"):
        pipeline.reconcile()


def test_an_error_of_s3_is_raised_and_not_recorded(pipeline: Pipeline) -> None:
    pipeline.settings = replace(pipeline.settings, source_bucket="no-such-bucket")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        pipeline.reconcile(ObjectAddress("no-such-bucket", "cake.jpg"))
    assert pipeline.records() == []


def connect_again(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with a client of its own, whose requests run no hooks of the test."""
    return Pipeline(boto3.client("s3", region_name="eu-west-2"), pipeline.sqs, pipeline.settings)


def change_response_once(s3: "S3Client", operation: str, error: Exception | None = None, **answer: object) -> None:
    """Change the response of the next ``operation``, or replace it by ``error``."""
    event = f"after-call.s3.{operation}"

    def once(parsed: dict[str, Any], **_: object) -> None:
        s3.meta.events.unregister(event, once)
        if error:
            raise error
        parsed |= answer

    s3.meta.events.register(event, once)


class BrokenBody:
    """The body of a response whose connection breaks."""

    def read(self) -> bytes:
        raise IncompleteReadError(actual_bytes=10, expected_bytes=20)

    def close(self) -> None:
        """Do nothing: there is no connection."""


def test_a_broken_connection_is_retried(pipeline: Pipeline) -> None:
    pipeline.upload()
    change_response_once(pipeline.s3, "GetObject", Body=BrokenBody())
    assert pipeline.reconcile().status is Status.WRITTEN


def test_a_connection_that_always_breaks_is_an_error(pipeline: Pipeline) -> None:
    pipeline.upload()
    pipeline.s3.meta.events.register("after-call.s3.GetObject", lambda parsed, **_: parsed.update(Body=BrokenBody()))
    with pytest.raises(UnsettledError, match="changed, broke off, or"):
        pipeline.reconcile()
    assert pipeline.records() == []


@pytest.mark.parametrize("length", [1000, 5 << 30])
def test_a_body_of_the_wrong_length_is_read_again(pipeline: Pipeline, length: int) -> None:
    pipeline.upload()
    body = encode(picture())[:length]
    change_response_once(
        pipeline.s3, "GetObject", ContentLength=length, Body=StreamingBody(io.BytesIO(body), content_length=len(body))
    )
    assert pipeline.reconcile().status is Status.WRITTEN
    assert pipeline.records() == []


def test_a_gzip_source_has_an_uncompressed_output(pipeline: Pipeline) -> None:
    pipeline.upload(body=gzip.compress(encode(picture())), ContentEncoding="gzip")
    assert pipeline.reconcile().status is Status.WRITTEN
    assert load(pipeline.output()).size == (160, 120)
    assert "ContentEncoding" not in pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_rejected_with_its_identity(pipeline: Pipeline, storage_class: str) -> None:
    pipeline.upload(StorageClass=storage_class)
    assert pipeline.reconcile().status is Status.REJECTED
    (record,) = pipeline.records()
    assert record["reason"] == "archived"
    assert record["etag"] == pipeline.s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ETag"]


def refuse_without_key(s3: "S3Client") -> None:
    """Answer as S3 does for an object that is encrypted with a customer key, which moto does not require."""
    message = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided."
    refusal = ClientError({"Error": {"Code": "InvalidRequest", "Message": message}}, "GetObject")
    s3.meta.events.register("before-call.s3.GetObject", Mock(side_effect=refusal))
    s3.meta.events.register("before-call.s3.HeadObject", Mock(side_effect=ClientError({"Error": {"Code": "400"}}, "")))


def test_an_object_with_a_customer_key_is_rejected_with_its_identity(pipeline: Pipeline) -> None:
    pipeline.upload()
    # This key comes first in the listing.
    pipeline.upload("cake.jp")
    refuse_without_key(pipeline.s3)
    assert pipeline.reconcile().status is Status.REJECTED
    (record,) = pipeline.records()
    assert record["reason"] == "customer_key"
    assert record["etag"] == connect_again(pipeline).s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ETag"]


def test_the_newer_of_two_unreadable_uploads_is_rejected(pipeline: Pipeline) -> None:
    pipeline.upload(StorageClass="GLACIER")
    newer = encode(picture(100, 50))
    run_before_next(
        pipeline.s3, "HeadObject", lambda: connect_again(pipeline).upload(body=newer, StorageClass="GLACIER")
    )
    pipeline.reconcile()
    (record,) = pipeline.records()
    assert record["etag"] == pipeline.s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ETag"]


def test_a_readable_upload_after_an_unreadable_one_is_written(pipeline: Pipeline) -> None:
    pipeline.upload(StorageClass="GLACIER")
    run_before_next(pipeline.s3, "HeadObject", connect_again(pipeline).upload)
    assert pipeline.reconcile().status is Status.WRITTEN
    assert pipeline.records() == []


MANIFEST = KeyTemplate.of("{dir}{name}.renditions.json", "")
SCHEMA = json.loads((ROOT / "events" / "manifest.schema.json").read_text())


def write_manifests(pipeline: Pipeline, **options: Any) -> Pipeline:
    renditions = (Rendition("small", width=30), Rendition("web", scale=0.5, format="webp", key="web/{dir}{name}"))
    return replace(pipeline, settings=replace(pipeline.settings, renditions=renditions, manifest=MANIFEST, **options))


def note_keys(pipeline: Pipeline, keys: list[str], *operations: str) -> None:
    """Add the keys of these requests to a list."""
    for operation in operations:
        event = f"provide-client-params.s3.{operation}"
        pipeline.s3.meta.events.register(event, lambda params, **_: keys.append(params["Key"]))


def test_a_manifest_describes_the_outputs_of_its_source(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    made = write_manifests(pipeline)
    body, headers = encode_oriented(picture(301, 203), 6, "PNG"), {"CacheControl": "max-age=9", "ContentLanguage": "fr"}
    made.upload("été/cake.png", body, Metadata={"by": "us"}, **headers)
    outcome = made.reconcile(ObjectAddress(SOURCE, "été/cake.png"))
    assert outcome.output_keys == ("été/small-cake.png", "web/été/cake.png.webp")
    found = made.s3.get_object(Bucket=DESTINATION, Key="été/cake.png.renditions.json")
    text = found["Body"].read().decode()
    manifest = json.loads(text)
    jsonschema.validate(manifest, SCHEMA)
    assert text == json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    source = made.s3.head_object(Bucket=SOURCE, Key="été/cake.png")
    etag = source["ETag"].strip('"')
    assert manifest["version"] == 1
    state = {"key": "été/cake.png", "version_id": source["VersionId"], "etag": etag}
    more = {"focus": None, "thumbhash": None, "dominant_colour": None}
    assert manifest["source"] == state | {"width": 301, "height": 203} | more
    assert [(one["name"], one["key"]) for one in manifest["renditions"]] == [
        ("small", "été/small-cake.png"),
        ("web", "web/été/cake.png.webp"),
    ]
    for one in manifest["renditions"]:
        output = made.s3.get_object(Bucket=DESTINATION, Key=one["key"])
        body = output["Body"].read()
        assert (one["width"], one["height"]) == load(body).size
        assert (one["bytes"], one["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
        assert (one["media_type"], one["lost"]) == (output["ContentType"], [])
    assert (found["ContentType"], found["CacheControl"]) == ("application/json", "max-age=9")
    assert "ContentLanguage" not in found
    origin = {name: value for name, value in output["Metadata"].items() if name.startswith("resized-from-")}
    assert found["Metadata"] == {"resized-by": made.settings.targets[-1].digest, **origin}


def test_a_manifest_has_a_placeholder_if_it_is_asked_for(pipeline: Pipeline) -> None:
    made = write_manifests(pipeline, placeholders=True)
    made.upload(body=encode(Image.new("RGB", (300, 200), (40, 90, 160)), "PNG"))
    made.reconcile()
    manifest = json.loads(made.output("cake.jpg.renditions.json"))
    jsonschema.validate(manifest, SCHEMA)
    assert manifest["source"]["dominant_colour"] == "#285aa0"
    assert base64.b64decode(manifest["source"]["thumbhash"], validate=True)


def test_the_schema_requires_all_that_a_manifest_has() -> None:
    described = RenditionDescription("small", "small-cake.jpg", 1, 1, 1, "image/jpeg", sha256="0" * 64)
    made = Description(SourceDescription("in", "cake.jpg", None, "etag", 1, 1), (described,))
    manifest = json.loads(made.to_manifest())
    jsonschema.validate(manifest, SCHEMA)
    for schema, part in (
        (SCHEMA, manifest),
        (SCHEMA["properties"]["source"], manifest["source"]),
        (SCHEMA["properties"]["renditions"]["items"], manifest["renditions"][0]),
    ):
        assert part.keys() == set(schema["required"]) == schema["properties"].keys()


@pytest.mark.parametrize("share", [reconcile.SMALL_SHARE, 1 << 30], ids=["small outputs", "large outputs"])
def test_a_manifest_is_put_after_the_outputs_and_before_the_check(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    monkeypatch.setattr(reconcile, "SMALL_SHARE", share)
    made = write_manifests(pipeline)
    calls: list[str] = []
    made.upload()
    note_keys(made, calls, "PutObject", "HeadObject")
    made.reconcile()
    assert sorted(calls[:2]) == ["small-cake.jpg", "web/cake.jpg.webp"]
    assert calls[2:] == ["cake.jpg.renditions.json", "cake.jpg"]


def test_equal_uploads_have_equal_manifests(pipeline: Pipeline) -> None:
    made = write_manifests(pipeline)
    manifests = []
    for _ in range(2):
        made.upload()
        made.reconcile()
        manifests.append(made.output("cake.jpg.renditions.json"))
    assert manifests[0] == manifests[1]


def test_a_deletion_removes_the_manifest_before_the_outputs(pipeline: Pipeline) -> None:
    made = write_manifests(pipeline, mirror_deletes=True)
    calls: list[str] = []
    made.upload()
    made.reconcile()
    made.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    made.s3.meta.events.register(
        "provide-client-params.s3.DeleteObject", lambda params, **_: calls.append(params["Key"])
    )
    outcome = made.reconcile()
    assert outcome.output_keys == ("small-cake.jpg", "web/cake.jpg.webp", "cake.jpg.renditions.json")
    assert (calls[0], made.outputs()) == ("cake.jpg.renditions.json", [])


def test_a_manifest_that_is_missing_is_written_when_an_old_version_is_deleted(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    made = write_manifests(pipeline, mirror_deletes=True)
    made.upload()
    made.reconcile()
    deleted = ObjectEvent(CAKE, EventType.DELETED, "old", datetime.now(UTC))
    assert made.reconcile(CAKE, deleted).status is Status.IGNORED
    made.s3.delete_object(Bucket=DESTINATION, Key="cake.jpg.renditions.json")
    assert made.reconcile(CAKE, deleted).status is Status.WRITTEN
    assert "cake.jpg.renditions.json" in made.outputs()


def test_an_object_with_a_manifests_name_is_ignored_without_a_read(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    made = write_manifests(pipeline, destination_bucket=SOURCE)
    made.upload()
    made.reconcile()
    (written,) = [record.__dict__ for record in caplog.records if record.message == "written"]
    assert (written["manifest"], written["output_count"]) == ("cake.jpg.renditions.json", 2)
    run_before_next(made.s3, "GetObject", lambda: pytest.fail("was read"))
    assert made.reconcile(ObjectAddress(SOURCE, written["manifest"])).status is Status.IGNORED
    assert caplog.records[-1].__dict__["why"] == "the key names a manifest"


def test_a_source_whose_manifest_would_have_too_long_a_key_is_rejected(pipeline: Pipeline) -> None:
    made, key = write_manifests(pipeline), "k" * 1009
    made.upload(key)
    outcome = made.reconcile(ObjectAddress(SOURCE, key))
    assert outcome.rejection is not None
    assert outcome.rejection.reason is Reason.KEY_TOO_LONG
    assert made.outputs() == []


def enable_mirroring(pipeline: Pipeline, *names: str) -> Pipeline:
    renditions = tuple(Rendition(name, scale=0.5) for name in names)
    return replace(pipeline, settings=replace(pipeline.settings, mirror_deletes=True, renditions=renditions))


def test_a_deletion_removes_only_the_outputs_of_its_source(pipeline: Pipeline) -> None:
    mirror = enable_mirroring(pipeline, "a", "b")
    for key in ("cake.jpg", "tart.jpg"):
        mirror.upload(key)
        mirror.reconcile(ObjectAddress(SOURCE, key))
    assert len(mirror.outputs()) == 4
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    outcome = mirror.reconcile()
    assert (outcome.status, outcome.output_keys) == (Status.REMOVED, ("a-cake.jpg", "b-cake.jpg"))
    assert mirror.outputs() == ["a-tart.jpg", "b-tart.jpg"]


def test_a_delete_marker_removes_outputs_whose_versions_are_kept(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE, DESTINATION)
    mirror = enable_mirroring(pipeline, "a")
    mirror.upload()
    mirror.reconcile()
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    assert mirror.reconcile().status is Status.REMOVED
    assert mirror.outputs() == []
    assert len(mirror.s3.list_object_versions(Bucket=DESTINATION)["Versions"]) == 1


@pytest.mark.parametrize("operation", ["DeleteObject", "HeadObject"])
def test_an_upload_during_the_removal_of_its_outputs_is_written(pipeline: Pipeline, operation: str) -> None:
    mirror = enable_mirroring(pipeline, "a", "b")
    run_before_next(mirror.s3, operation, connect_again(mirror).upload)
    assert mirror.reconcile().status is Status.WRITTEN
    assert mirror.outputs() == ["a-cake.jpg", "b-cake.jpg"]


def test_a_deletion_during_the_write_of_outputs_removes_them(pipeline: Pipeline) -> None:
    mirror = enable_mirroring(pipeline, "a", "b")
    mirror.upload()
    run_before_next(
        mirror.s3, "HeadObject", lambda: connect_again(mirror).s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    )
    assert mirror.reconcile().status is Status.REMOVED
    assert mirror.outputs() == []


def test_a_deletion_of_a_key_too_long_for_outputs_removes_nothing(pipeline: Pipeline) -> None:
    mirror = enable_mirroring(pipeline, "a")
    run_before_next(mirror.s3, "DeleteObject", lambda: pytest.fail("was removed"))
    assert mirror.reconcile(ObjectAddress(SOURCE, "x" * 1023)).status is Status.GONE


def test_a_deletion_removes_outputs_whose_manifest_would_have_too_long_a_key(pipeline: Pipeline) -> None:
    mirror, key = enable_mirroring(pipeline, "a"), "k" * 1010
    mirror.upload(key)
    mirror.reconcile(ObjectAddress(SOURCE, key))
    mirror.s3.delete_object(Bucket=SOURCE, Key=key)
    mirror.settings = replace(mirror.settings, manifest=MANIFEST)
    assert mirror.reconcile(ObjectAddress(SOURCE, key)).output_keys == (f"a-{key}",)
    assert mirror.outputs() == []


def test_a_deletion_removes_no_output_without_mirror_deletes(pipeline: Pipeline) -> None:
    pipeline.upload()
    pipeline.reconcile()
    pipeline.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    assert pipeline.reconcile().status is Status.GONE
    assert pipeline.outputs() == ["resized-cake.jpg"]


def make_upload_event(minutes: float, version_id: str | None = "1") -> ObjectEvent:
    """Return the event of an upload, this many minutes old."""
    return ObjectEvent(CAKE, EventType.AVAILABLE, version_id, datetime.now(UTC) - timedelta(minutes=minutes))


@pytest.fixture
def versioned(pipeline: Pipeline) -> Pipeline:
    """A pipeline that mirrors deletions, with versions in both buckets."""
    keep_versions(pipeline, SOURCE, DESTINATION)
    return enable_mirroring(pipeline, "a", "b")


def upload_two_versions(versioned: Pipeline) -> list[str]:
    """Upload and resize two images, 100 and 200 pixels wide; return the version IDs, the older first."""
    for width in (100, 200):
        versioned.upload(body=encode(picture(width, 100)))
        versioned.reconcile()
    found = versioned.s3.list_object_versions(Bucket=SOURCE)["Versions"]
    return [version["VersionId"] for version in reversed(found)]


def delete_version(versioned: Pipeline, version_id: str, change: EventType = EventType.DELETED) -> Outcome:
    """Delete a version, and reconcile its event."""
    versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg", VersionId=version_id)
    return versioned.reconcile(CAKE, ObjectEvent(CAKE, change, version_id, datetime.now(UTC)))


@pytest.mark.parametrize("change", [EventType.DELETED, EventType.EXPIRED])
def test_deleting_a_noncurrent_version_changes_nothing(versioned: Pipeline, change: EventType) -> None:
    older, _ = upload_two_versions(versioned)
    run_before_next(versioned.s3, "GetObject", lambda: pytest.fail("was read"))
    assert delete_version(versioned, older, change).status is Status.IGNORED


def test_the_expiry_of_a_noncurrent_version_repeats_no_rejection(versioned: Pipeline) -> None:
    older, _ = upload_two_versions(versioned)
    versioned.upload(body=b"no image")
    assert delete_version(versioned, older, EventType.EXPIRED).status is Status.IGNORED
    # The same holds without mirror_deletes, if the event comes from a queue outside the module.
    versioned.settings = replace(versioned.settings, mirror_deletes=False)
    assert delete_version(versioned, older, EventType.EXPIRED).status is Status.IGNORED


def test_deleting_the_current_version_restores_the_outputs_of_the_version_before(versioned: Pipeline) -> None:
    _, newer = upload_two_versions(versioned)
    assert delete_version(versioned, newer).status is Status.WRITTEN
    assert [load(versioned.output(key)).size for key in versioned.outputs()] == [(50, 50)] * 2


def test_deleting_a_delete_marker_restores_the_outputs_of_the_version_before(versioned: Pipeline) -> None:
    upload_two_versions(versioned)
    marker = versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")["VersionId"]
    assert versioned.reconcile().status is Status.REMOVED
    assert delete_version(versioned, marker).status is Status.WRITTEN
    assert [load(versioned.output(key)).size for key in versioned.outputs()] == [(100, 50)] * 2


def test_deleting_the_last_version_removes_the_outputs(versioned: Pipeline) -> None:
    older, newer = upload_two_versions(versioned)
    assert delete_version(versioned, older).status is Status.IGNORED
    assert delete_version(versioned, newer).status is Status.REMOVED
    assert versioned.outputs() == []


@pytest.mark.parametrize(
    "other",
    [ObjectEvent(CAKE), ObjectEvent(CAKE, EventType.DELETED), make_upload_event(0)],
    ids=["by hand", "without versions", "upload"],
)
def test_an_expiry_beside_another_report_is_not_ignored(versioned: Pipeline, other: ObjectEvent) -> None:
    older, _ = upload_two_versions(versioned)
    assert versioned.reconcile(CAKE, ObjectEvent(CAKE, EventType.EXPIRED, older), other).status is Status.WRITTEN


def test_an_output_that_s3_does_not_find_is_written(versioned: Pipeline) -> None:
    older, _ = upload_two_versions(versioned)
    for code in ("400", "403", "404"):
        refusal = Mock(side_effect=ClientError({"Error": {"Code": code}}, "HeadObject"))
        # The first HEAD is the source's.
        run_before_next(versioned.s3, "HeadObject", partial(run_before_next, versioned.s3, "HeadObject", refusal))
        assert delete_version(versioned, older).status is Status.WRITTEN


def test_an_error_of_the_destination_is_raised(versioned: Pipeline) -> None:
    older, newer = upload_two_versions(versioned)
    trouble = Mock(side_effect=ClientError({"Error": {"Code": "500"}}, "HeadObject"))
    run_before_next(versioned.s3, "HeadObject", lambda: run_before_next(versioned.s3, "HeadObject", trouble))
    with pytest.raises(ClientError, match="500"):
        delete_version(versioned, older)
    versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg", VersionId=newer)
    denied = Mock(side_effect=ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject"))
    run_before_next(versioned.s3, "DeleteObject", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        versioned.reconcile()


def test_removing_absent_outputs_leaves_no_delete_marker(versioned: Pipeline) -> None:
    assert versioned.reconcile().status is Status.GONE
    assert "DeleteMarkers" not in versioned.s3.list_object_versions(Bucket=DESTINATION)
    for code in ("412", "NoSuchKey", "404"):
        # S3 may also answer with these codes.
        run_before_next(versioned.s3, "DeleteObject", Mock(side_effect=ClientError({"Error": {"Code": code}}, "")))
        assert versioned.reconcile().status is Status.GONE


def delete_after_resize(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that mirrors deletions, with the output of a deleted upload."""
    mirror = enable_mirroring(pipeline, "resized")
    mirror.upload()
    mirror.reconcile()
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    return mirror


@pytest.mark.parametrize("minutes", [-1, 0, 19])
def test_a_new_version_that_s3_does_not_find_is_retried_and_keeps_its_outputs(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, minutes: float
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    mirror = delete_after_resize(pipeline)
    caplog.clear()
    with pytest.raises(UnsettledError, match="was missing without a delete marker"):
        # Other reports about the object change nothing.
        mirror.reconcile(CAKE, make_upload_event(60), make_upload_event(minutes), ObjectEvent(CAKE))
    assert mirror.outputs() == ["resized-cake.jpg"]
    assert [record.message for record in caplog.records] == ["missing"] * 3


@pytest.mark.parametrize(
    "event",
    [
        make_upload_event(21),
        make_upload_event(0, version_id=None),
        ObjectEvent(CAKE, EventType.AVAILABLE, "1"),
        ObjectEvent(CAKE),
    ],
    ids=["old", "without versions", "sent by hand", "of no upload"],
)
def test_a_missing_object_is_gone_unless_a_version_is_new(pipeline: Pipeline, event: ObjectEvent) -> None:
    mirror = delete_after_resize(pipeline)
    assert mirror.reconcile(CAKE, event).status is Status.REMOVED
    assert mirror.outputs() == []


def test_a_new_version_under_a_delete_marker_is_gone(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = delete_after_resize(pipeline)
    assert mirror.reconcile(CAKE, make_upload_event(0)).status is Status.REMOVED
    assert mirror.outputs() == []


def miss_next(s3: "S3Client", operation: str) -> None:
    """Answer the next ``operation`` with 404 without a delete marker, as if S3 did not find the object."""
    missing: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPHeaders": {}}}
    run_before_next(s3, operation, Mock(side_effect=ClientError(missing, operation)))


def test_a_new_version_that_s3_finds_at_the_second_request_is_written(pipeline: Pipeline) -> None:
    pipeline.upload()
    miss_next(pipeline.s3, "GetObject")
    assert pipeline.reconcile(CAKE, make_upload_event(0)).status is Status.WRITTEN


def test_an_object_that_was_just_read_is_not_gone_when_s3_does_not_find_it(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = enable_mirroring(pipeline, "resized")
    mirror.upload()
    run_before_next(mirror.s3, "PutObject", lambda: miss_next(mirror.s3, "GetObject"))
    miss_next(mirror.s3, "HeadObject")
    run_before_next(mirror.s3, "DeleteObject", lambda: pytest.fail("was removed"))
    assert mirror.reconcile().status is Status.WRITTEN


def test_outputs_return_if_the_source_was_uploaded_during_their_removal(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = delete_after_resize(pipeline)
    newer = connect_again(mirror)

    def upload_and_miss() -> None:
        newer.upload()
        miss_next(mirror.s3, "HeadObject")

    run_before_next(mirror.s3, "DeleteObject", upload_and_miss)
    assert mirror.reconcile(CAKE, make_upload_event(60)).status is Status.WRITTEN
    assert mirror.outputs() == ["resized-cake.jpg"]


@pytest.mark.parametrize(("share", "too_late"), [(0.8, True), (1.0, False)])
def test_only_an_object_that_had_all_of_the_time_is_rejected_as_too_slow(
    pipeline: Pipeline, share: float, too_late: bool
) -> None:
    pipeline.upload(body=encode(picture(1000, 750), "PNG"))
    # The function has 1 s; this share of it is left before the image is rendered, and none afterwards.
    pipeline.settings = replace(pipeline.settings, timeout_seconds=1)
    left = itertools.chain([share], itertools.repeat(0.001))
    with pytest.raises(LateError) if too_late else contextlib.nullcontext():
        outcome = pipeline.reconciler.reconcile(CAKE, lambda: next(left))
        assert outcome.rejection
        assert outcome.rejection.reason is Reason.TOO_SLOW


def spy_on_reads(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Run ``action`` after each read of a whole object."""
    read = StreamingBody.read

    def spy(self: StreamingBody, amt: int | None = None) -> bytes:
        data = read(self, amt)
        # botocore reads other responses through this method, too.
        if amt is None and data.startswith((b"\x89PNG", b"\xff\xd8")):
            action()
        return data

    monkeypatch.setattr(StreamingBody, "read", spy)


def await_event(event: threading.Event) -> None:
    if not event.wait(timeout=20):
        raise AssertionError("the event was not set within 20 s")


def test_an_object_is_read_and_written_while_another_is_rendered(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_read, first_rendering, second_rendering = (threading.Event() for _ in range(3))
    at_once: list[int] = [0]
    reads, puts = itertools.count(1), itertools.count(1)

    def render_observed(source: bytes, *arguments: Any, **options: Any) -> Rendered:
        at_once.append(at_once[-1] + 1)
        if first_rendering.is_set():
            second_rendering.set()
        else:
            first_rendering.set()
            await_event(both_read)
        try:
            return render.render(source, *arguments, **options)
        finally:
            at_once.append(at_once[-1] - 1)

    def put(**_: object) -> None:
        if next(puts) == 1:
            await_event(second_rendering)

    monkeypatch.setattr(reconcile, "render", render_observed)
    spy_on_reads(monkeypatch, lambda: both_read.set() if next(reads) == 2 else None)
    keys = ("one.png", "two.png")
    for key in keys:
        pipeline.upload(key, encode(picture(64, 48), "PNG"))
    pipeline.s3.meta.events.register("before-call.s3.PutObject", put)
    reconciler = pipeline.reconciler
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda key: reconciler.reconcile(ObjectAddress(SOURCE, key), unlimited_seconds), keys))
    assert [outcome.status for outcome in outcomes] == [Status.WRITTEN] * 2
    assert max(at_once) == 1
    assert sorted(pipeline.outputs()) == ["resized-one.png", "resized-two.png"]


@pytest.mark.parametrize(
    ("size", "share", "held"),
    [
        (4 << 20, reconcile.SMALL_SHARE, [False, False]),
        ((4 << 20) + 1, reconcile.SMALL_SHARE, [True, False]),
        (0, 1 << 30, [True, True]),
    ],
    ids=["small", "large source", "large output"],
)
def test_a_large_source_or_output_is_transferred_only_in_its_turn(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, size: int, share: int, held: list[bool]
) -> None:
    monkeypatch.setattr(reconcile, "SMALL_SHARE", share)
    lock, found = threading.Lock(), []
    pipeline.upload(body=encode(picture(64, 48)).ljust(size, b"\0"))
    spy_on_reads(monkeypatch, lambda: found.append(lock.locked()))
    pipeline.s3.meta.events.register("before-call.s3.PutObject", lambda **_: found.append(lock.locked()))
    replace(pipeline.reconciler, rendering=lock).reconcile(CAKE, unlimited_seconds)
    assert found == held
