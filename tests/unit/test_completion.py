"""Completion events: what they say, when they are sent, and that a failed send fails the source's event."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jsonschema
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from aws.completion import MAX_BYTES, Completions
from aws.description import Description, RenditionDescription, SourceDescription
from aws.outcomes import ObjectAddress, Outcome, Rejection, Status
from aws.reconcile import Reconciler
from aws.settings import Settings
from aws.source import Identity
from errors import Reason, UnsentError
from key_template import KeyTemplate
from renditions import Rendition
from tests.images import encode, picture
from tests.models import CheckedClient
from tests.unit.conftest import REGION, SESSION, SETTINGS
from tools.local.aws import eventbridge, moto_patches, s3_patches

moto_patches.deliver_events(lambda rule, event: eventbridge.apply_rule(rule, event, REGION, Mock()))
s3_patches.report_delete_markers()
s3_patches.accept_if_match_any()

EVENTS = Path(__file__).parents[2] / "events"
SCHEMA = json.loads((EVENTS / "completion.schema.json").read_text())
BUS = f"arn:aws:events:{REGION}:123456789012:event-bus/media"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:media"
CAKE = ObjectAddress("src-bucket-image-in", "cake.jpg")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
IDENTITY = Identity("2gfvhNt1iZfkIXn1BzS9", '"9e107d9d372bb6826bd81d3542a419d6"', NOON, 2_461_310)
SENT = replace(SETTINGS, source_bucket=CAKE.bucket, destination_bucket="dest-bucket-image-out", event_target_arn=BUS)
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
DESCRIPTION = Description(
    SourceDescription(*("src-bucket-image-in", "cake.jpg"), "2gfvhNt1iZfkIXn1BzS9", IDENTITY.etag[1:-1], 4032, 3024),
    (RenditionDescription("resized", "resized-cake.jpg", 2016, 1512, 402_113, "image/jpeg", ("depth_map",), SHA256),),
)
WRITTEN = Outcome(Status.WRITTEN, CAKE, ("resized-cake.jpg",))
REJECTION = Rejection(
    *(CAKE.bucket, CAKE.key, IDENTITY.version_id, IDENTITY.etag, Reason.NOT_AN_IMAGE),
    "the content is not a JPEG, PNG, GIF, WebP, TIFF, BMP or AVIF image",
    NOON.isoformat(),
)
REJECTED = Outcome(Status.REJECTED, CAKE, rejection=REJECTION)
REMOVED = Outcome(Status.REMOVED, CAKE, ("resized-cake.jpg",))


def make_event(
    outcome: Outcome = WRITTEN,
    identity: Identity | None = IDENTITY,
    description: Description | None = None,
    *,
    settings: Settings = SENT,
    at: datetime = NOON,
) -> dict[str, Any]:
    """Return the entry that EventBridge gets, with its detail parsed."""
    client = Mock()
    client.put_events.return_value = {"FailedEntryCount": 0}
    Completions(CheckedClient(client, "events"), settings).send(outcome, at, identity, description)
    (entry,) = client.put_events.call_args.kwargs["Entries"]
    return {**entry, "Detail": json.loads(entry["Detail"])}


@pytest.mark.parametrize(
    ("sample", "sent"),
    [
        ("image-resized", lambda: make_event(WRITTEN, IDENTITY, DESCRIPTION)),
        ("image-rejected", lambda: make_event(REJECTED)),
        ("image-removed", lambda: make_event(REMOVED, None)),
    ],
)
def test_each_sample_is_what_eventbridge_delivers_and_matches_the_schema(sample: str, sent: Any) -> None:
    entry, event = sent(), json.loads((EVENTS / "completion" / f"{sample}.json").read_text())
    assert (event["source"], event["detail-type"], event["detail"]) == (
        *(entry["Source"], entry["DetailType"], entry["Detail"]),
    )
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(event["detail"], SCHEMA, format_checker=jsonschema.FormatChecker())


def test_the_schema_requires_all_that_each_event_has() -> None:
    source = SCHEMA["properties"]["source"]
    for detail in (make_event(WRITTEN, IDENTITY, DESCRIPTION), make_event(REJECTED), make_event(REMOVED, None)):
        for schema, part in ((SCHEMA, detail["Detail"]), (source, detail["Detail"]["source"])):
            assert part.keys() == set(schema["required"]) == schema["properties"].keys()


def test_the_schema_allows_no_other_status_field_or_type() -> None:
    detail = make_event(WRITTEN, IDENTITY, DESCRIPTION)["Detail"]
    for wrong in (
        {"status": "gone"},
        {"reason": "corrupt"},
        {"renditions": [{"name": "resized", "key": "resized-cake.jpg"}]},
        {"idempotency_key": None},
        {"schema_version": 2},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**detail, **wrong}, SCHEMA)


def test_the_key_is_that_of_the_state_the_settings_the_status_and_the_outputs() -> None:
    def key(*arguments: Any, **options: Any) -> str:
        found: str = make_event(*arguments, **options)["Detail"]["idempotency_key"]
        return found

    (output,), later = DESCRIPTION.renditions, NOON + timedelta(seconds=1)
    assert (
        key()
        == key(at=later)
        == key(settings=replace(SENT, manifest=KeyTemplate.of("{dir}{name}.renditions.json", "")))
    )
    assert key(WRITTEN, IDENTITY, DESCRIPTION) == key(WRITTEN, IDENTITY, DESCRIPTION, at=later)
    assert key(REMOVED, None) == key(Outcome(Status.GONE, CAKE), None)
    changed = [
        key(),
        key(REJECTED),
        key(REMOVED, None),
        key(REMOVED, None, at=later),
        key(WRITTEN, replace(IDENTITY, version_id="other")),
        key(WRITTEN, replace(IDENTITY, etag='"other"')),
        key(WRITTEN, replace(IDENTITY, last_modified=later)),
        key(Outcome(Status.WRITTEN, replace(CAKE, key="tart.jpg"))),
        key(settings=replace(SENT, destination_bucket="other")),
        key(settings=replace(SENT, renditions=(Rendition("resized", scale=0.25),))),
        key(WRITTEN, IDENTITY, DESCRIPTION),
        key(WRITTEN, IDENTITY, replace(DESCRIPTION, source=replace(DESCRIPTION.source, thumbhash="VAgKHYK9moif"))),
        key(WRITTEN, IDENTITY, replace(DESCRIPTION, renditions=(replace(output, sha256="0" * 64),))),
        key(REJECTED._replace(rejection=replace(REJECTION, reason=Reason.CORRUPT))),
        key(settings=replace(SENT, limits=SENT.limits._replace(max_pixels=1))),
    ]
    assert len({*changed}) == len(changed)


def test_an_event_that_would_be_too_large_says_how_many_renditions_it_leaves_out() -> None:
    (one,) = DESCRIPTION.renditions
    for count, expected in ((60, (60, 0)), (1000, (0, 1000))):
        many = replace(DESCRIPTION, renditions=(replace(one, key="\u00e9" * 512),) * count)
        detail = make_event(WRITTEN, IDENTITY, many)["Detail"]
        assert (len(detail["renditions"]), detail["renditions_omitted"]) == expected
        assert (len(json.dumps(detail)) <= MAX_BYTES, detail["lost"]) == (True, ["depth_map"])
        jsonschema.validate(detail, SCHEMA)


@dataclass
class Pipeline:
    """Both buckets, and a queue that gets every event of a bus and of a topic."""

    settings: Settings
    completions: Completions

    def __post_init__(self) -> None:
        self.s3: Any = SESSION.client("s3")
        self.sqs: Any = SESSION.client("sqs")
        for bucket in (self.settings.source_bucket, self.settings.destination_bucket):
            self.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        queue = f"arn:aws:sqs:{REGION}:123456789012:completions"
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "*", "Resource": queue}
        policy = json.dumps({"Statement": [allow]})
        self.url = self.sqs.create_queue(QueueName="completions", Attributes={"Policy": policy})["QueueUrl"]
        events, sns = SESSION.client("events"), SESSION.client("sns")
        events.create_event_bus(Name="media")
        events.put_rule(Name="all", EventBusName="media", EventPattern='{"source": ["image-resize"]}')
        events.put_targets(Rule="all", EventBusName="media", Targets=[{"Id": "queue", "Arn": queue}])
        sns.create_topic(Name="media")
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue, Attributes=raw)

    def upload(self, body: bytes) -> str:
        etag: str = self.s3.put_object(Bucket=CAKE.bucket, Key=CAKE.key, Body=body)["ETag"]
        return etag.strip('"')

    def reconcile(self) -> Status:
        reconciler = Reconciler(self.s3, self.settings, completions=self.completions)
        return reconciler.reconcile(CAKE, lambda: 100.0).status

    def take(self) -> list[dict[str, Any]]:
        """Return the events that the queue has, and delete them."""
        found = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        events = [json.loads(message["Body"]) for message in found]
        return [event.get("detail", event) for event in events]


@pytest.fixture(params=[BUS, TOPIC], ids=["bus", "topic"])
def pipeline(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    settings = replace(SENT, event_target_arn=request.param, mirror_deletes=True)
    with mock_aws():
        yield Pipeline(settings, Completions.of(settings, Config(retries={"total_max_attempts": 1})))


def test_each_settled_state_has_one_event(pipeline: Pipeline) -> None:
    etag = pipeline.upload(encode(picture()))
    assert pipeline.reconcile() is Status.WRITTEN
    (event,) = pipeline.take()
    (rendition,) = event["renditions"]
    output = pipeline.s3.get_object(Bucket="dest-bucket-image-out", Key=rendition["key"])
    checksum = pipeline.s3.get_object_attributes(
        Bucket="dest-bucket-image-out", Key=rendition["key"], ObjectAttributes=["ObjectSize"]
    )
    assert (event["status"], event["source"]["etag"], event["source"]["width"]) == ("written", etag, 320)
    assert (rendition["bytes"], rendition["media_type"]) == (checksum["ObjectSize"], output["ContentType"])
    assert rendition["sha256"] == hashlib.sha256(output["Body"].read()).hexdigest()

    etag = pipeline.upload(b"text")
    assert pipeline.reconcile() is Status.REJECTED
    (event,) = pipeline.take()
    assert (event["status"], event["source"]["etag"], event["reason"]) == ("rejected", etag, "not_an_image")

    pipeline.s3.delete_object(Bucket=CAKE.bucket, Key=CAKE.key)
    assert pipeline.reconcile() is Status.REMOVED
    (event,) = pipeline.take()
    assert (event["status"], event["renditions"]) == ("removed", [{"name": "resized", "key": "resized-cake.jpg"}])


def test_a_state_that_is_not_settled_has_no_event(pipeline: Pipeline) -> None:
    def replace_upload(**_: object) -> None:
        pipeline.s3.meta.events.unregister("before-call.s3.HeadObject", replace_upload)
        pipeline.upload(b"text")

    pipeline.upload(encode(picture()))
    pipeline.s3.meta.events.register("before-call.s3.HeadObject", replace_upload)
    assert pipeline.reconcile() is Status.REJECTED
    assert [event["status"] for event in pipeline.take()] == ["rejected"]


def test_what_is_ignored_or_gone_without_mirror_deletes_has_no_event(pipeline: Pipeline) -> None:
    pipeline.settings = replace(pipeline.settings, mirror_deletes=False)
    assert pipeline.reconcile() is Status.GONE
    pipeline.s3.put_object(Bucket=CAKE.bucket, Key="folder/")
    reconciler = Reconciler(pipeline.s3, pipeline.settings, completions=pipeline.completions)
    assert reconciler.reconcile(replace(CAKE, key="folder/"), lambda: 100.0).status is Status.IGNORED
    assert pipeline.take() == []


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"])
@pytest.mark.parametrize("status", ["written", "rejected", "removed"])
def test_an_event_that_could_not_be_sent_is_sent_by_the_retry(pipeline: Pipeline, code: str, status: str) -> None:
    pipeline.upload(b"text" if status == "rejected" else encode(picture()))
    if status == "removed":
        pipeline.reconcile()
        pipeline.take()
        pipeline.s3.delete_object(Bucket=CAKE.bucket, Key=CAKE.key)
    failing = Mock()
    failing.publish.side_effect = failing.put_events.side_effect = ClientError({"Error": {"Code": code}}, "")
    working, pipeline.completions = (
        pipeline.completions,
        Completions(CheckedClient(failing, "events", "sns"), pipeline.settings),
    )
    with pytest.raises(ClientError, match=code):
        pipeline.reconcile()
    pipeline.completions = working
    pipeline.reconcile()
    assert [event["status"] for event in pipeline.take()] == [status]


def test_an_entry_that_eventbridge_refused_is_a_failure() -> None:
    client = Mock()
    refusal = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
    client.put_events.return_value = {"FailedEntryCount": 1, "Entries": [refusal]}
    with pytest.raises(UnsentError, match=r"event of s3://src-bucket-image-in/cake\.jpg: InternalFailure: try again$"):
        Completions(CheckedClient(client, "events"), SENT).send(WRITTEN, NOON, IDENTITY, DESCRIPTION)
