"""Jobs of S3 Batch Operations resize existing uploads, with the role that Terraform created for jobs."""

import io
import re
from dataclasses import dataclass, replace

import pytest

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.other_settings.conftest import TILE
from tests.pipeline.test_iam import Policy
from tools.accept.pipeline import delete_versions, wait_for
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
"""For each action, the error of a job without it."""


@dataclass(frozen=True)
class Jobs:
    """Runs jobs on the deployed pipeline."""

    pipeline: Pipeline
    job: Job

    def run(self, manifest: CsvManifest | GeneratedManifest, description: str) -> JobStatus:
        """Create a job, and wait until it has ended."""
        s3control = self.pipeline.client("s3control")
        job_id = create(s3control, replace(self.job, description=description, manifest=manifest))

        def poll() -> JobStatus | None:
            job_status = status(s3control, ACCOUNT_ID, job_id)
            return job_status if job_status.has_ended else None

        return wait_for(poll, f"end of the job {description}")

    def upload_manifest(self, *keys: str) -> CsvManifest:
        """Upload a manifest of source objects."""
        lines = io.BytesIO(b"".join(manifest_lines(self.pipeline.stack.source_bucket, keys)))
        return upload_manifest(self.pipeline.client("s3"), self.job.bucket, f"{FOLDER}manifests/{len(keys)}.csv", lines)

    def list_failed_tasks(self, job_status: JobStatus) -> list[FailedTask]:
        return list(failed_tasks(self.pipeline.client("s3"), job_status))

    def delete_tiles(self) -> None:
        """Delete the tile of each image."""
        s3 = self.pipeline.client("s3")
        delete_versions(s3, self.job.bucket, set(map(TILE.output_key, IMAGES)))

    def find_images_with_tiles(self) -> set[str]:
        """Return the keys of the images that have a tile."""
        outputs = self.pipeline.list_keys(self.job.bucket)
        return {key for key in IMAGES if TILE.output_key(key) in outputs}


@pytest.fixture(scope="module")
def jobs(custom_pipeline: Pipeline) -> Jobs:
    """The jobs of the pipeline, after images and a text file were uploaded and processed."""
    for key in IMAGES:
        custom_pipeline.upload(key, encode(picture()))
    custom_pipeline.upload(NO_IMAGE, b"a text file")
    for key in IMAGES:
        custom_pipeline.wait_for_object(TILE.output_key(key))
    custom_pipeline.take_record(NO_IMAGE)
    output, stack = custom_pipeline.terraform.output(), custom_pipeline.stack
    job = Job(
        description="Again",
        account_id=ACCOUNT_ID,
        function_arn=str(output["function_arn"]),
        role_arn=str(output["batch_operations_role_arn"]),
        bucket=stack.destination_bucket,
        folder=FOLDER,
        manifest=GeneratedManifest(stack.source_bucket),
    )
    return Jobs(custom_pipeline, job)


def test_a_job_with_a_list_makes_outputs_and_reports_failures(jobs: Jobs) -> None:
    jobs.delete_tiles()
    assert jobs.find_images_with_tiles() == set()
    job_status = jobs.run(jobs.upload_manifest(*IMAGES, NO_IMAGE, MISSING), "a list")
    assert (job_status.state, job_status.total, job_status.succeeded, job_status.failed) == ("Complete", 5, 4, 1)
    assert jobs.find_images_with_tiles() == set(IMAGES)
    record = jobs.pipeline.take_record(NO_IMAGE)
    assert jobs.list_failed_tasks(job_status) == [FailedTask(NO_IMAGE, f"not_an_image: {record['message']}")]


def test_a_job_with_a_prefix_makes_only_outputs_of_that_prefix(jobs: Jobs) -> None:
    jobs.delete_tiles()
    manifest = GeneratedManifest(jobs.pipeline.stack.source_bucket, "jobs/画像/", ".jpg")
    job_status = jobs.run(manifest, "a prefix")
    assert (job_status.state, job_status.total, job_status.succeeded) == ("Complete", 1, 1)
    assert jobs.find_images_with_tiles() == {IMAGES[-1]}
    assert jobs.list_failed_tasks(job_status) == []


@pytest.fixture(scope="module")
def policy(jobs: Jobs) -> Policy:
    return Policy.read(jobs.pipeline, jobs.job.role_arn)


def test_every_permission_of_a_job_has_a_test_without_it(policy: Policy) -> None:
    # AWS's documentation requires s3:GetObjectVersion, for manifests with version ids.
    assert sorted(policy.actions) == sorted([*SYMPTOMS, "s3:GetObjectVersion"])


@pytest.mark.parametrize("action", SYMPTOMS)
def test_a_job_without_a_permission_fails_with_the_reason(jobs: Jobs, policy: Policy, action: str) -> None:
    manifest: CsvManifest | GeneratedManifest = jobs.upload_manifest(IMAGES[0])
    if action == "s3:PutInventoryConfiguration":
        manifest = GeneratedManifest(jobs.pipeline.stack.source_bucket, "jobs/")
    with policy.without(action):
        job_status = jobs.run(manifest, f"without {action}")
    assert job_status.state == "Failed"
    (reason,) = job_status.reasons
    assert re.search(SYMPTOMS[action], reason)
