"""Repeats the tests of one source object on an S3 that is not moto's. What only moto tolerates fails here."""

import inspect
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests.judges.seaweedfs import seaweedfs
from tests.unit import test_reconcile
from tests.unit.test_reconcile import DESTINATION, SOURCE, Pipeline, settings, versioned
from tools.accept.pipeline import delete_versions

__all__ = ["versioned"]

DEVIATIONS = {
    "test_a_new_version_under_a_delete_marker_is_gone": "a 404 has no x-amz-delete-marker",
    "test_outputs_return_if_the_source_was_uploaded_during_their_removal": "a 404 has no x-amz-delete-marker",
    "test_an_archived_object_is_rejected_with_its_identity": "no object is archived",
    "test_the_newer_of_two_unreadable_uploads_is_rejected": "no object is archived",
    "test_a_deletion_removes_outputs_whose_manifest_would_have_too_long_a_key": "a key of 1,010 bytes is too long",
    "test_a_rejection_is_recorded_once[long key]": "a key of 1,020 bytes is too long",
    "test_a_source_whose_manifest_would_have_too_long_a_key_is_rejected": "a key of 1,009 bytes is too long",
}
"""Tests that fail because SeaweedFS differs from S3, with the difference."""

globals().update(
    {
        name: test
        for name, test in vars(test_reconcile).items()
        if name.startswith("test_") and {"pipeline", "versioned"} & inspect.signature(test).parameters.keys()
    }
)


def test_every_deviation_is_that_of_a_test() -> None:
    assert {name.partition("[")[0] for name in DEVIATIONS} <= globals().keys()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, seaweedfs() as endpoint:
        patch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        yield endpoint


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """The pipeline of the other tests, with the buckets on SeaweedFS; the queue is moto's."""
    for name in (request.node.name, request.node.originalname):
        if name in DEVIATIONS:
            request.applymarker(pytest.mark.xfail(strict=True, reason=DEVIATIONS[name]))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws(config={"core": {"passthrough": {"urls": [f"{endpoint}.*"]}}}):
        s3, sqs = boto3.client("s3", "eu-west-2"), boto3.client("sqs", "eu-west-2")
        for bucket in (SOURCE, DESTINATION):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
        queue_url = sqs.create_queue(QueueName="Lambda-image-failures")["QueueUrl"]
        yield Pipeline(s3, sqs, settings(SOURCE, queue_url))
        # A new client has no hooks of the test.
        plain = boto3.client("s3", "eu-west-2")
        for bucket in (SOURCE, DESTINATION):
            delete_versions(plain, bucket)
            plain.delete_bucket(Bucket=bucket)
