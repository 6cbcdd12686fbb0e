"""``mirror_deletes``: deleting an upload removes its outputs."""

from tests.images import encode, picture
from tests.pipeline.conftest import Pipeline
from tests.pipeline.test_iam import LOGGING, SYMPTOMS, Policy
from tools.accept.pipeline import wait_for
from tools.accept.uploads import check_deletions

RENDITIONS = ("mini", "tile", "web")


def list_outputs(pipeline: Pipeline, folder: str) -> set[str]:
    """Return the keys of the outputs of the sources in a folder."""
    bucket = pipeline.stack.destination_bucket
    return set().union(*(pipeline.list_keys(bucket, f"{rendition}/{folder}/") for rendition in RENDITIONS))


def test_a_deletion_removes_all_outputs_of_the_deleted_upload_only(custom_pipeline: Pipeline) -> None:
    check_deletions(custom_pipeline)
    assert list_outputs(custom_pipeline, "mirror") == {
        "mini/mirror/kept.png.jpg",
        "tile/mirror/kept.png",
        "web/mirror/kept.png.webp",
    }


def test_a_deleted_upload_that_is_uploaded_again_gets_outputs_again(custom_pipeline: Pipeline) -> None:
    key = "mirror-again/cake.jpg"
    for _ in range(2):
        custom_pipeline.upload(key, encode(picture()))
        custom_pipeline.wait_for_object(f"tile/{key}")
        custom_pipeline.client("s3").delete_object(Bucket=custom_pipeline.stack.source_bucket, Key=key)
        wait_for(lambda: not list_outputs(custom_pipeline, "mirror-again") or None, "removal")


def upload_two_versions(pipeline: Pipeline, key: str) -> list[str]:
    """Upload two images, the second after the outputs of the first were written; return their version ids."""
    for width in (100, 101):
        pipeline.upload(key, encode(picture(width, 100)))
        response = pipeline.client("s3").list_object_versions(Bucket=pipeline.stack.source_bucket, Prefix=key)
        new, *old = [version["VersionId"] for version in response["Versions"]]
        # The function writes the manifest last.
        pipeline.wait_for_object(f"{key}.renditions.json", source_version=new)
    return [*old, new]


def test_deleting_an_old_version_writes_the_outputs_of_the_current_one_again(custom_pipeline: Pipeline) -> None:
    """With completion events; without them it changes nothing, as tests/unit/test_reconcile.py shows."""
    s3, source, key = custom_pipeline.client("s3"), custom_pipeline.stack.source_bucket, "mirror-versions/cake.jpg"
    old, new = upload_two_versions(custom_pipeline, key)
    manifest = {"Bucket": custom_pipeline.stack.destination_bucket, "Key": f"{key}.renditions.json"}
    before = s3.head_object(**manifest)["VersionId"]
    s3.delete_object(Bucket=source, Key=key, VersionId=old)
    wait_for(lambda: s3.head_object(**manifest)["VersionId"] != before or None, "another manifest")
    assert s3.head_object(**manifest)["Metadata"]["resized-from-version"] == new
    assert list_outputs(custom_pipeline, "mirror-versions") == {f"mini/{key}.jpg", f"tile/{key}", f"web/{key}.webp"}


def test_a_version_that_becomes_current_again_gets_its_outputs_again(custom_pipeline: Pipeline) -> None:
    s3, source, key = custom_pipeline.client("s3"), custom_pipeline.stack.source_bucket, "mirror-back/cake.jpg"
    old, new = upload_two_versions(custom_pipeline, key)
    s3.delete_object(Bucket=source, Key=key, VersionId=new)
    custom_pipeline.wait_for_object(f"web/{key}.webp", source_version=old)
    marker = s3.delete_object(Bucket=source, Key=key)["VersionId"]
    wait_for(lambda: not list_outputs(custom_pipeline, "mirror-back") or None, "removal")
    s3.delete_object(Bucket=source, Key=key, VersionId=marker)
    custom_pipeline.wait_for_object(f"web/{key}.webp", source_version=old)


def test_a_removal_fails_without_permission_to_delete(custom_pipeline: Pipeline) -> None:
    event = custom_pipeline.make_notification("mirror/never-uploaded.jpg")
    policy = Policy.read(custom_pipeline, custom_pipeline.role_arn)
    assert sorted(policy.actions) == sorted(
        [*SYMPTOMS, *LOGGING, "s3:DeleteObject", "s3:GetObject", "kms:Sign", "events:PutEvents"]
    )
    with policy.without("s3:DeleteObject"):
        assert "(AccessDenied) when calling the DeleteObject operation" in custom_pipeline.send(event)["errorMessage"]
    assert custom_pipeline.send(event)["outcomes"][0]["status"] == "gone"
    destination = custom_pipeline.stack.destination_bucket
    markers = custom_pipeline.client("s3").list_object_versions(Bucket=destination, Prefix="tile/mirror/never")
    assert "DeleteMarkers" not in markers
