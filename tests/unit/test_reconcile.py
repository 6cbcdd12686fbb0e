"""Reconciling one object, against moto's S3 and SQS in this process."""

import contextlib
import gzip
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
import pytest
import urllib3
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from moto import mock_aws
from moto.server import ThreadedMotoServer
from PIL import Image

from aws import reconcile
from aws.outcomes import EventType, ObjectAddress, ObjectEvent, Outcome, Status
from aws.reconcile import Reconciler
from aws.settings import Filter, Settings
from errors import EventError, LateError, Reason, UnsettledError
from imaging import render
from imaging.limits import RUNTIME_BYTES, Limits
from imaging.render import Rendered
from renditions import MetadataPolicy, Rendition
from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tools.local.aws import s3_patches

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

s3_patches.report_delete_markers()
s3_patches.accept_if_match_any()

SOURCE, DESTINATION = "src-bucket-image-in", "dest-bucket-image-out"
CAKE = ObjectAddress(SOURCE, "cake.jpg")


def endless() -> float:
    """Seconds that an invocation has left."""
    return math.inf


def settings(source: str, queue_url: str) -> Settings:
    renditions = (Rendition("resized", scale=0.5),)
    return Settings(source, DESTINATION, queue_url, renditions, MetadataPolicy.COPYRIGHT, Limits(512 << 20))


@dataclass
class Pipeline:
    """The two buckets, the queue and the reconciler between them."""

    s3: "S3Client"
    sqs: "SQSClient"
    settings: Settings

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(s3=self.s3, settings=self.settings)

    def reconcile(self, address: ObjectAddress = CAKE, *events: ObjectEvent) -> Outcome:
        """Do what the handler does with one object."""
        outcome = self.reconciler.reconcile(address, endless, events)
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


def before_next(s3: "S3Client", operation: str, action: Callable[[], object]) -> None:
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
    # An animation's frames count together, and a JPEG before its decoder shrinks it.
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
def test_the_times_of_reading_and_of_rendering_are_each_their_own(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, share: int
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    monkeypatch.setattr(reconcile, "SMALL_SHARE", share)
    now = [0.0]

    def take(seconds: float) -> None:
        now[0] += seconds

    def rendered(*arguments: Any, **options: Any) -> Rendered:
        take(0.25)
        return render.render(*arguments, **options)

    monkeypatch.setattr(reconcile, "time", Mock(perf_counter=lambda: now[0]))
    monkeypatch.setattr(reconcile, "render", rendered)
    pipeline.upload(body=encode(picture(), "PNG"))
    spy_on_reads(monkeypatch, lambda: take(2))
    before_next(pipeline.s3, "PutObject", lambda: take(4))
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
        Metadata={"album": "summer", "resized-by": "a copy of an output has this"},
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


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline whose requests and answers are bytes: moto in this process passes on texts."""
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
        # botocore would sign another space than it sends.
        ('attachment; filename="ケー\u3000キ.jpg"', False),
        # botocore writes UTF-8 only.
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


def test_what_a_rendition_says_of_its_object_goes_before_what_the_source_says(pipeline: Pipeline) -> None:
    rendition = Rendition("resized", scale=0.5, cache_control="no-store", storage_class="STANDARD_IA")
    pipeline.settings = replace(pipeline.settings, renditions=(rendition,))
    pipeline.upload(CacheControl="max-age=60")
    pipeline.reconcile()
    output = pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")
    assert (output["CacheControl"], output["StorageClass"]) == ("no-store", "STANDARD_IA")


@pytest.mark.parametrize("excess", [0, 1])
def test_metadata_that_does_not_fit_beside_ours_is_dropped_whole(
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


def test_what_is_larger_than_the_memory_is_not_even_downloaded(
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


def test_what_was_deleted_meanwhile_is_gone(pipeline: Pipeline) -> None:
    assert pipeline.reconcile().status is Status.GONE
    assert pipeline.records() == []


def test_what_was_deleted_while_it_was_rejected_is_gone(pipeline: Pipeline) -> None:
    pipeline.upload(body=b"no image")
    before_next(pipeline.s3, "HeadObject", lambda: pipeline.s3.delete_object(Bucket=SOURCE, Key="cake.jpg"))
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


def in_one_bucket(pipeline: Pipeline, *filters: Filter) -> Reconciler:
    """What makes ``resized/a/resized-cake.jpg`` of ``a/cake.jpg``, in the source bucket itself."""
    rendition = Rendition("resized", scale=0.5, key="resized/{dir}resized-{name}")
    one = replace(pipeline.settings, filters=filters, destination_bucket=SOURCE, renditions=(rendition,))
    return replace(pipeline.reconciler, settings=one)


def test_what_no_filter_fits_is_ignored_unread(pipeline: Pipeline) -> None:
    reconciler = in_one_bucket(pipeline, Filter("uploads/", ".jpg"), Filter("logos/", ".png"))
    for key in ("uploads/cake.jpg", "cake.jpg"):
        pipeline.upload(key)
    outcome = reconciler.reconcile(ObjectAddress(SOURCE, "uploads/cake.jpg"), endless)
    assert outcome.output_keys == ("resized/uploads/resized-cake.jpg",)
    # To read it would be an error: the role may not.
    before_next(pipeline.s3, "GetObject", lambda: pytest.fail("was read"))
    for key in ("cake.jpg", "resized/uploads/resized-cake.jpg", "uploads", "uploads/cake.JPG", "uploads/cake.png"):
        assert reconciler.reconcile(ObjectAddress(SOURCE, key), endless).status is Status.IGNORED


def test_in_one_bucket_our_outputs_end_the_loop_but_copies_of_them_and_others_images_do_not(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconciler = in_one_bucket(pipeline, Filter("", ""))
    pipeline.upload("cake.jpg")
    (output,) = reconciler.reconcile(CAKE, endless).output_keys
    with monkeypatch.context() as patch:
        calls = spy_on_body(patch)
        assert reconciler.reconcile(ObjectAddress(SOURCE, output), endless).status is Status.IGNORED
    assert calls == ["close"]
    # Under our key without our marker, and with our marker under another key.
    pipeline.upload("resized/theirs.jpg")
    pipeline.s3.copy_object(Bucket=SOURCE, Key="copy.jpg", CopySource={"Bucket": SOURCE, "Key": output})
    for key in ("resized/theirs.jpg", "copy.jpg"):
        assert reconciler.reconcile(ObjectAddress(SOURCE, key), endless).status is Status.WRITTEN


def spy_on_body(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List how the bodies of objects are read and closed."""
    calls: list[str] = []
    for name in ("read", "close"):
        monkeypatch.setattr(StreamingBody, name, lambda _, *__, name=name: calls.append(name))
    return calls


def test_another_bucket_than_the_source_is_an_error_before_s3_is_asked(pipeline: Pipeline) -> None:
    # Whose every method is missing.
    reconciler = replace(mirroring(pipeline, "a").reconciler, s3=Mock(spec=[]))
    for key in ("cake.jpg", "resized-cake.jpg", "folder/"):
        with pytest.raises(EventError, match=f"'{DESTINATION}', but this function's source is '{SOURCE}'"):
            reconciler.reconcile(ObjectAddress(DESTINATION, key), endless)


@pytest.mark.parametrize("operation", ["PutObject", "HeadObject"])
def test_a_newer_upload_wins_whenever_it_comes(pipeline: Pipeline, operation: str) -> None:
    pipeline.upload()
    newer = another(pipeline)
    before_next(pipeline.s3, operation, lambda: newer.upload(body=encode(picture(100, 50))))
    pipeline.reconcile()
    assert load(pipeline.output()).size == (50, 25)


def test_new_metadata_on_the_same_bytes_is_a_change(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    pipeline.upload(Metadata={"album": "old"})
    newer = another(pipeline)
    before_next(pipeline.s3, "PutObject", lambda: newer.upload(Metadata={"album": "new"}))
    pipeline.reconcile()
    assert pipeline.s3.head_object(Bucket=DESTINATION, Key="resized-cake.jpg")["Metadata"]["album"] == "new"


def test_an_object_that_never_settles_is_handed_back(pipeline: Pipeline) -> None:
    sizes = iter(range(100, 200))
    newer = another(pipeline)
    pipeline.upload()
    pipeline.s3.meta.events.register(
        "before-call.s3.HeadObject", lambda **_: newer.upload(body=encode(picture(next(sizes), 50)))
    )
    with pytest.raises(UnsettledError, match="In each of 3 attempts s3://src-bucket-image-in/cake"):
        pipeline.reconcile()


def test_trouble_with_s3_is_raised_and_nothing_is_recorded(pipeline: Pipeline) -> None:
    pipeline.settings = replace(pipeline.settings, source_bucket="no-such-bucket")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        pipeline.reconcile(ObjectAddress("no-such-bucket", "cake.jpg"))
    assert pipeline.records() == []


def another(pipeline: Pipeline) -> Pipeline:
    """Somebody else, whose requests are not spied on."""
    return Pipeline(boto3.client("s3", region_name="eu-west-2"), pipeline.sqs, pipeline.settings)


def spoil_once(s3: "S3Client", operation: str, error: Exception | None = None, **answer: object) -> None:
    """Raise ``error`` in place of the next ``operation``, or change what it answered."""
    event = f"after-call.s3.{operation}"

    def once(parsed: dict[str, Any], **_: object) -> None:
        s3.meta.events.unregister(event, once)
        if error:
            raise error
        parsed |= answer

    s3.meta.events.register(event, once)


class BrokenBody:
    """The body of a response whose connection breaks off."""

    def read(self) -> bytes:
        raise IncompleteReadError(actual_bytes=10, expected_bytes=20)

    def close(self) -> None:
        """Nothing is left to close."""


def test_a_body_that_breaks_off_is_read_again(pipeline: Pipeline) -> None:
    pipeline.upload()
    spoil_once(pipeline.s3, "GetObject", Body=BrokenBody())
    assert pipeline.reconcile().status is Status.WRITTEN


def test_a_body_that_always_breaks_off_is_handed_back(pipeline: Pipeline) -> None:
    pipeline.upload()
    pipeline.s3.meta.events.register("after-call.s3.GetObject", lambda parsed, **_: parsed.update(Body=BrokenBody()))
    with pytest.raises(UnsettledError, match="changed, broke off, or"):
        pipeline.reconcile()
    assert pipeline.records() == []


@pytest.mark.parametrize("length", [1000, 5 << 30])
def test_a_wrong_length_is_not_taken_for_a_broken_image(pipeline: Pipeline, length: int) -> None:
    pipeline.upload()
    body = encode(picture())[:length]
    spoil_once(
        pipeline.s3, "GetObject", ContentLength=length, Body=StreamingBody(io.BytesIO(body), content_length=len(body))
    )
    assert pipeline.reconcile().status is Status.WRITTEN
    assert pipeline.records() == []


def test_gzip_is_unpacked_and_the_output_is_plain(pipeline: Pipeline) -> None:
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
    """Answer as S3 does for an object that is encrypted with a key of its uploader's, which moto never asks for."""
    message = "The object was stored using a form of Server Side Encryption. The correct parameters must be provided."
    refusal = ClientError({"Error": {"Code": "InvalidRequest", "Message": message}}, "GetObject")
    s3.meta.events.register("before-call.s3.GetObject", Mock(side_effect=refusal))
    s3.meta.events.register("before-call.s3.HeadObject", Mock(side_effect=ClientError({"Error": {"Code": "400"}}, "")))


def test_an_object_with_a_key_of_its_uploaders_is_rejected_with_its_identity(pipeline: Pipeline) -> None:
    pipeline.upload()
    # Which is not the first that is listed.
    pipeline.upload("cake.jp")
    refuse_without_key(pipeline.s3)
    assert pipeline.reconcile().status is Status.REJECTED
    (record,) = pipeline.records()
    assert record["reason"] == "customer_key"
    assert record["etag"] == another(pipeline).s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ETag"]


def test_of_two_that_cannot_be_read_it_is_the_second_that_is_rejected(pipeline: Pipeline) -> None:
    pipeline.upload(StorageClass="GLACIER")
    newer = encode(picture(100, 50))
    before_next(pipeline.s3, "HeadObject", lambda: another(pipeline).upload(body=newer, StorageClass="GLACIER"))
    pipeline.reconcile()
    (record,) = pipeline.records()
    assert record["etag"] == pipeline.s3.head_object(Bucket=SOURCE, Key="cake.jpg")["ETag"]


def test_what_can_be_read_by_the_second_look_is_written(pipeline: Pipeline) -> None:
    pipeline.upload(StorageClass="GLACIER")
    before_next(pipeline.s3, "HeadObject", another(pipeline).upload)
    assert pipeline.reconcile().status is Status.WRITTEN
    assert pipeline.records() == []


def mirroring(pipeline: Pipeline, *names: str) -> Pipeline:
    renditions = tuple(Rendition(name, scale=0.5) for name in names)
    return replace(pipeline, settings=replace(pipeline.settings, mirror_deletes=True, renditions=renditions))


def test_a_deletion_removes_every_output_and_nothing_else(pipeline: Pipeline) -> None:
    mirror = mirroring(pipeline, "a", "b")
    for key in ("cake.jpg", "tart.jpg"):
        mirror.upload(key)
        mirror.reconcile(ObjectAddress(SOURCE, key))
    assert len(mirror.outputs()) == 4
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    outcome = mirror.reconcile()
    assert (outcome.status, outcome.output_keys) == (Status.REMOVED, ("a-cake.jpg", "b-cake.jpg"))
    assert mirror.outputs() == ["a-tart.jpg", "b-tart.jpg"]


def test_a_delete_marker_is_a_deletion_too_and_the_destination_keeps_its_versions(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE, DESTINATION)
    mirror = mirroring(pipeline, "a")
    mirror.upload()
    mirror.reconcile()
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    assert mirror.reconcile().status is Status.REMOVED
    assert mirror.outputs() == []
    assert len(mirror.s3.list_object_versions(Bucket=DESTINATION)["Versions"]) == 1


@pytest.mark.parametrize("operation", ["DeleteObject", "HeadObject"])
def test_what_is_uploaded_while_its_outputs_are_removed_is_written(pipeline: Pipeline, operation: str) -> None:
    mirror = mirroring(pipeline, "a", "b")
    before_next(mirror.s3, operation, another(mirror).upload)
    assert mirror.reconcile().status is Status.WRITTEN
    assert mirror.outputs() == ["a-cake.jpg", "b-cake.jpg"]


def test_what_is_deleted_while_its_outputs_are_written_leaves_none(pipeline: Pipeline) -> None:
    mirror = mirroring(pipeline, "a", "b")
    mirror.upload()
    before_next(mirror.s3, "HeadObject", lambda: another(mirror).s3.delete_object(Bucket=SOURCE, Key="cake.jpg"))
    assert mirror.reconcile().status is Status.REMOVED
    assert mirror.outputs() == []


def test_a_deletion_under_a_key_that_can_have_no_outputs_removes_nothing(pipeline: Pipeline) -> None:
    mirror = mirroring(pipeline, "a")
    before_next(mirror.s3, "DeleteObject", lambda: pytest.fail("was removed"))
    assert mirror.reconcile(ObjectAddress(SOURCE, "x" * 1023)).status is Status.GONE


def test_a_deletion_leaves_outputs_alone_unless_they_are_to_follow(pipeline: Pipeline) -> None:
    pipeline.upload()
    pipeline.reconcile()
    pipeline.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    assert pipeline.reconcile().status is Status.GONE
    assert pipeline.outputs() == ["resized-cake.jpg"]


def created(minutes: float, version_id: str | None = "1") -> ObjectEvent:
    """What S3 tells of an upload so many minutes later."""
    return ObjectEvent(CAKE, EventType.AVAILABLE, version_id, datetime.now(UTC) - timedelta(minutes=minutes))


@pytest.fixture
def versioned(pipeline: Pipeline) -> Pipeline:
    """A pipeline that mirrors deletions, with versions in both buckets."""
    keep_versions(pipeline, SOURCE, DESTINATION)
    return mirroring(pipeline, "a", "b")


def two_versions(versioned: Pipeline) -> list[str]:
    """Upload twice, 100 and 200 pixels wide, and make the outputs of each; gives both versions, the older first."""
    for width in (100, 200):
        versioned.upload(body=encode(picture(width, 100)))
        versioned.reconcile()
    found = versioned.s3.list_object_versions(Bucket=SOURCE)["Versions"]
    return [version["VersionId"] for version in reversed(found)]


def delete_version(versioned: Pipeline, version_id: str, change: EventType = EventType.DELETED) -> Outcome:
    """Delete a version, and do what the handler does when it is told."""
    versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg", VersionId=version_id)
    return versioned.reconcile(CAKE, ObjectEvent(CAKE, change, version_id, datetime.now(UTC)))


@pytest.mark.parametrize("change", [EventType.DELETED, EventType.EXPIRED])
def test_an_old_version_that_is_deleted_changes_nothing(versioned: Pipeline, change: EventType) -> None:
    older, _ = two_versions(versioned)
    before_next(versioned.s3, "GetObject", lambda: pytest.fail("was read"))
    assert delete_version(versioned, older, change).status is Status.IGNORED


def test_an_old_version_that_expires_does_not_bring_a_rejection_again(versioned: Pipeline) -> None:
    older, _ = two_versions(versioned)
    versioned.upload(body=b"no image")
    assert delete_version(versioned, older, EventType.EXPIRED).status is Status.IGNORED
    # Nor where deletions are not mirrored, and a queue of somebody's own tells of them.
    versioned.settings = replace(versioned.settings, mirror_deletes=False)
    assert delete_version(versioned, older, EventType.EXPIRED).status is Status.IGNORED


def test_where_the_current_version_is_deleted_the_one_before_has_its_outputs_again(versioned: Pipeline) -> None:
    _, newer = two_versions(versioned)
    assert delete_version(versioned, newer).status is Status.WRITTEN
    assert [load(versioned.output(key)).size for key in versioned.outputs()] == [(50, 50)] * 2


def test_where_a_delete_marker_is_deleted_the_version_below_has_its_outputs_again(versioned: Pipeline) -> None:
    two_versions(versioned)
    marker = versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")["VersionId"]
    assert versioned.reconcile().status is Status.REMOVED
    assert delete_version(versioned, marker).status is Status.WRITTEN
    assert [load(versioned.output(key)).size for key in versioned.outputs()] == [(100, 50)] * 2


def test_where_the_last_version_is_deleted_the_outputs_go_too(versioned: Pipeline) -> None:
    older, newer = two_versions(versioned)
    assert delete_version(versioned, older).status is Status.IGNORED
    assert delete_version(versioned, newer).status is Status.REMOVED
    assert versioned.outputs() == []


@pytest.mark.parametrize(
    "other",
    [ObjectEvent(CAKE), ObjectEvent(CAKE, EventType.DELETED), created(0)],
    ids=["by hand", "without versions", "upload"],
)
def test_what_else_an_event_says_of_an_object_is_looked_at(versioned: Pipeline, other: ObjectEvent) -> None:
    older, _ = two_versions(versioned)
    assert versioned.reconcile(CAKE, ObjectEvent(CAKE, EventType.EXPIRED, older), other).status is Status.WRITTEN


def test_an_output_that_s3_does_not_describe_is_made(versioned: Pipeline) -> None:
    older, _ = two_versions(versioned)
    for code in ("400", "403", "404"):
        refusal = Mock(side_effect=ClientError({"Error": {"Code": code}}, "HeadObject"))
        # The source's comes first.
        before_next(versioned.s3, "HeadObject", partial(before_next, versioned.s3, "HeadObject", refusal))
        assert delete_version(versioned, older).status is Status.WRITTEN


def test_trouble_with_the_destination_is_raised(versioned: Pipeline) -> None:
    older, newer = two_versions(versioned)
    trouble = Mock(side_effect=ClientError({"Error": {"Code": "500"}}, "HeadObject"))
    before_next(versioned.s3, "HeadObject", lambda: before_next(versioned.s3, "HeadObject", trouble))
    with pytest.raises(ClientError, match="500"):
        delete_version(versioned, older)
    versioned.s3.delete_object(Bucket=SOURCE, Key="cake.jpg", VersionId=newer)
    denied = Mock(side_effect=ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject"))
    before_next(versioned.s3, "DeleteObject", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        versioned.reconcile()


def test_what_never_had_outputs_is_gone_and_leaves_no_delete_marker(versioned: Pipeline) -> None:
    assert versioned.reconcile().status is Status.GONE
    assert "DeleteMarkers" not in versioned.s3.list_object_versions(Bucket=DESTINATION)
    for code in ("412", "NoSuchKey", "404"):
        # As S3 may say it, too.
        before_next(versioned.s3, "DeleteObject", Mock(side_effect=ClientError({"Error": {"Code": code}}, "")))
        assert versioned.reconcile().status is Status.GONE


def with_output(pipeline: Pipeline) -> Pipeline:
    """A pipeline that mirrors deletions, with the output of an upload that is deleted by now."""
    mirror = mirroring(pipeline, "resized")
    mirror.upload()
    mirror.reconcile()
    mirror.s3.delete_object(Bucket=SOURCE, Key="cake.jpg")
    return mirror


@pytest.mark.parametrize("minutes", [-1, 0, 19])
def test_a_new_version_that_s3_does_not_know_is_handed_back_and_keeps_its_outputs(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture, minutes: float
) -> None:
    caplog.set_level(logging.INFO, "aws.reconcile")
    mirror = with_output(pipeline)
    caplog.clear()
    with pytest.raises(UnsettledError, match="was missing without a delete marker"):
        # Whatever else the event says of it.
        mirror.reconcile(CAKE, created(60), created(minutes), ObjectEvent(CAKE))
    assert mirror.outputs() == ["resized-cake.jpg"]
    assert [record.message for record in caplog.records] == ["missing"] * 3


@pytest.mark.parametrize(
    "event",
    [created(21), created(0, version_id=None), ObjectEvent(CAKE, EventType.AVAILABLE, "1"), ObjectEvent(CAKE)],
    ids=["old", "without versions", "sent by hand", "of no upload"],
)
def test_what_s3_should_know_by_now_is_gone(pipeline: Pipeline, event: ObjectEvent) -> None:
    mirror = with_output(pipeline)
    assert mirror.reconcile(CAKE, event).status is Status.REMOVED
    assert mirror.outputs() == []


def test_a_new_version_under_a_delete_marker_is_gone(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = with_output(pipeline)
    assert mirror.reconcile(CAKE, created(0)).status is Status.REMOVED
    assert mirror.outputs() == []


def deny_it_is_there(s3: "S3Client", operation: str) -> None:
    """Let S3 answer the next such request as if it knew of no version."""
    missing: Any = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPHeaders": {}}}
    before_next(s3, operation, Mock(side_effect=ClientError(missing, operation)))


def test_a_new_version_that_s3_knows_at_the_next_look_is_written(pipeline: Pipeline) -> None:
    pipeline.upload()
    deny_it_is_there(pipeline.s3, "GetObject")
    assert pipeline.reconcile(CAKE, created(0)).status is Status.WRITTEN


def test_what_was_read_a_moment_ago_is_not_gone_because_s3_does_not_know_it(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = mirroring(pipeline, "resized")
    mirror.upload()
    before_next(mirror.s3, "PutObject", lambda: deny_it_is_there(mirror.s3, "GetObject"))
    deny_it_is_there(mirror.s3, "HeadObject")
    before_next(mirror.s3, "DeleteObject", lambda: pytest.fail("was removed"))
    assert mirror.reconcile().status is Status.WRITTEN


def test_outputs_are_removed_only_if_s3_says_twice_in_one_way_that_their_source_is_gone(pipeline: Pipeline) -> None:
    keep_versions(pipeline, SOURCE)
    mirror = with_output(pipeline)
    newer = another(mirror)

    def upload_and_deny() -> None:
        newer.upload()
        deny_it_is_there(mirror.s3, "HeadObject")

    before_next(mirror.s3, "DeleteObject", upload_and_deny)
    assert mirror.reconcile(CAKE, created(60)).status is Status.WRITTEN
    assert mirror.outputs() == ["resized-cake.jpg"]


@pytest.mark.parametrize(("share", "too_late"), [(0.8, True), (1.0, False)])
def test_only_what_had_all_of_the_time_is_too_slow_for_good(pipeline: Pipeline, share: float, too_late: bool) -> None:
    pipeline.upload(body=encode(picture(1000, 750), "PNG"))
    # Of 1 s: what is there before the image is rendered; then nothing is left.
    pipeline.settings = replace(pipeline.settings, timeout_seconds=1)
    left = itertools.chain([share], itertools.repeat(0.001))
    with pytest.raises(LateError) if too_late else contextlib.nullcontext():
        outcome = pipeline.reconciler.reconcile(CAKE, lambda: next(left))
        assert outcome.rejection
        assert outcome.rejection.reason is Reason.TOO_SLOW


def spy_on_reads(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Run ``action`` after each object that is read whole."""
    read = StreamingBody.read

    def spied(self: StreamingBody, amt: int | None = None) -> bytes:
        data = read(self, amt)
        # Other answers of S3 are read through this too.
        if amt is None and data.startswith((b"\x89PNG", b"\xff\xd8")):
            action()
        return data

    monkeypatch.setattr(StreamingBody, "read", spied)


def reach(event: threading.Event) -> None:
    if not event.wait(timeout=20):
        raise AssertionError("what was waited for never came")


def test_while_one_object_is_rendered_another_is_read_and_put(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_read, first_rendering, second_rendering = (threading.Event() for _ in range(3))
    at_once: list[int] = [0]
    reads, puts = itertools.count(1), itertools.count(1)

    def rendered(source: bytes, *arguments: Any, **options: Any) -> Rendered:
        at_once.append(at_once[-1] + 1)
        if first_rendering.is_set():
            second_rendering.set()
        else:
            first_rendering.set()
            reach(both_read)
        try:
            return render.render(source, *arguments, **options)
        finally:
            at_once.append(at_once[-1] - 1)

    def put(**_: object) -> None:
        if next(puts) == 1:
            reach(second_rendering)

    monkeypatch.setattr(reconcile, "render", rendered)
    spy_on_reads(monkeypatch, lambda: both_read.set() if next(reads) == 2 else None)
    keys = ("one.png", "two.png")
    for key in keys:
        pipeline.upload(key, encode(picture(64, 48), "PNG"))
    pipeline.s3.meta.events.register("before-call.s3.PutObject", put)
    reconciler = pipeline.reconciler
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda key: reconciler.reconcile(ObjectAddress(SOURCE, key), endless), keys))
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
def test_what_is_large_is_read_and_put_only_in_its_turn(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, size: int, share: int, held: list[bool]
) -> None:
    monkeypatch.setattr(reconcile, "SMALL_SHARE", share)
    lock, found = threading.Lock(), []
    pipeline.upload(body=encode(picture(64, 48)).ljust(size, b"\0"))
    spy_on_reads(monkeypatch, lambda: found.append(lock.locked()))
    pipeline.s3.meta.events.register("before-call.s3.PutObject", lambda **_: found.append(lock.locked()))
    replace(pipeline.reconciler, rendering=lock).reconcile(CAKE, endless)
    assert found == held
