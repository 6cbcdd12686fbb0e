"""A job of S3 Batch Operations makes images of what is there already, with the role that Terraform made for it."""

import io
import re
from dataclasses import dataclass, replace

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline, awaited
from tests.pipeline.other_settings.conftest import TILE
from tests.pipeline.test_iam import Policy
from tools.operations.batch_job import (
    CsvManifest,
    FailedTask,
    GeneratedManifest,
    Job,
    JobStatus,
    create,
    failed_tasks,
    manifest_lines,
    status,
    upload_manifest,
)

ACCOUNT_ID, FOLDER = "123456789012", "batch-operations/Lambda-image/"
IMAGES = ("jobs/a b+c%é.jpg", 'jobs/comma, "quote".jpg', "jobs/画像/😀.jpg")
NO_IMAGE, MISSING = "jobs/no image,é.jpg", "jobs/missing é.jpg"

SYMPTOMS = {
    "lambda:InvokeFunction": r"role/Lambda-image-jobs is not authorized to perform: lambda:InvokeFunction on resource",
    "s3:PutInventoryConfiguration": r"is not authorized to perform: s3:PutInventoryConfiguration on resource",
    "s3:GetObject": r"preparing manifest: An error occurred \(AccessDenied\) when calling the GetObject operation",
    "s3:PutObject": r"writing the report: An error occurred \(AccessDenied\) when calling the PutObject operation",
}
"""Without each of these actions a job fails, and how."""


@dataclass(frozen=True)
class Jobs:
    """Runs jobs on the deployed pipeline."""

    pipeline: Pipeline
    job: Job

    def run(self, manifest: CsvManifest | GeneratedManifest, description: str) -> JobStatus:
        """Make a job and await its end."""
        s3control = self.pipeline.client("s3control")
        job_id = create(s3control, replace(self.job, description=description, manifest=manifest))

        def ask() -> JobStatus | None:
            found = status(s3control, ACCOUNT_ID, job_id)
            return found if found.has_ended else None

        return awaited(ask, f"end of the job {description}")

    def listed(self, *keys: str) -> CsvManifest:
        """Put a manifest of objects of the source."""
        lines = io.BytesIO(b"".join(manifest_lines(self.pipeline.stack.source_bucket, keys)))
        return upload_manifest(self.pipeline.client("s3"), self.job.bucket, f"{FOLDER}manifests/{len(keys)}.csv", lines)

    def failed(self, found: JobStatus) -> list[FailedTask]:
        return list(failed_tasks(self.pipeline.client("s3"), found))

    def forget(self) -> None:
        """Remove an output of each image."""
        self.pipeline.erase(self.job.bucket, *map(TILE.output_key, IMAGES))

    def made(self) -> set[str]:
        """The images that have that output."""
        there = self.pipeline.keys(self.job.bucket)
        return {key for key in IMAGES if TILE.output_key(key) in there}


@pytest.fixture(scope="module")
def jobs(configured: Pipeline) -> Jobs:
    """The pipeline with images, and with what is none."""
    for key in IMAGES:
        configured.upload(key, encode(picture()))
    configured.upload(NO_IMAGE, b"a text file")
    for key in IMAGES:
        configured.object(TILE.output_key(key))
    configured.failure(NO_IMAGE)
    output, stack = configured.terraform().output(), configured.stack
    job = Job(
        description="Again",
        account_id=ACCOUNT_ID,
        function_arn=str(output["function_arn"]),
        role_arn=str(output["batch_operations_role_arn"]),
        bucket=stack.destination_bucket,
        folder=FOLDER,
        manifest=GeneratedManifest(stack.source_bucket),
    )
    return Jobs(configured, job)


def test_a_job_of_a_list_makes_what_it_can_and_reports_the_rest(jobs: Jobs) -> None:
    jobs.forget()
    assert jobs.made() == set()
    found = jobs.run(jobs.listed(*IMAGES, NO_IMAGE, MISSING), "a list")
    assert (found.state, found.total, found.succeeded, found.failed) == ("Complete", 5, 4, 1)
    assert jobs.made() == set(IMAGES)
    record = jobs.pipeline.failure(NO_IMAGE)
    assert jobs.failed(found) == [FailedTask(NO_IMAGE, f"not_an_image: {record['message']}")]


def test_a_job_of_all_below_a_prefix_makes_no_more(jobs: Jobs) -> None:
    jobs.forget()
    below = GeneratedManifest(jobs.pipeline.stack.source_bucket, "jobs/画像/", ".jpg")
    found = jobs.run(below, "a prefix")
    assert (found.state, found.total, found.succeeded) == ("Complete", 1, 1)
    assert jobs.made() == {IMAGES[-1]}
    assert jobs.failed(found) == []


@pytest.fixture(scope="module")
def policy(jobs: Jobs) -> Policy:
    return Policy.of(jobs.pipeline, jobs.job.role_arn)


def test_it_is_known_what_every_permission_of_a_job_is_for(policy: Policy) -> None:
    # By AWS's word one needs to read versions too, where manifests have some.
    assert sorted(policy.actions) == sorted([*SYMPTOMS, "s3:GetObjectVersion"])


@pytest.mark.parametrize("action", SYMPTOMS)
def test_without_an_action_a_job_fails_and_says_why(jobs: Jobs, policy: Policy, action: str) -> None:
    manifest: CsvManifest | GeneratedManifest = jobs.listed(IMAGES[0])
    if action == "s3:PutInventoryConfiguration":
        manifest = GeneratedManifest(jobs.pipeline.stack.source_bucket, "jobs/")
    with policy.without(action):
        found = jobs.run(manifest, f"without {action}")
    assert found.state == "Failed"
    (reason,) = found.reasons
    assert re.search(SYMPTOMS[action], reason)
