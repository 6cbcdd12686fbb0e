"""mirror_deletes: who removes a source removes its outputs."""

from tests.images import encoded, picture
from tests.pipeline.conftest import Pipeline, awaited
from tests.pipeline.test_iam import LOGGING, SYMPTOMS, Policy

RENDITIONS = ("mini", "tile", "web")


def outputs(pipeline: Pipeline, folder: str) -> set[str]:
    """The keys of all outputs of a folder's sources."""
    found: set[str] = set()
    for rendition in RENDITIONS:
        listing = pipeline.client("s3").list_objects_v2(
            Bucket=pipeline.stack.destination_bucket, Prefix=f"{rendition}/{folder}/"
        )
        found |= {one["Key"] for one in listing.get("Contents", [])}
    return found


def test_a_deletion_removes_every_output_of_its_source_alone(configured: Pipeline) -> None:
    s3, source = configured.client("s3"), configured.stack.source_bucket
    names = ("one.png", "two.png", "three.png", "kept.png")
    for name in names:
        configured.upload(f"mirror/{name}", encoded(picture(), "PNG"))
    awaited(lambda: len(outputs(configured, "mirror")) == len(RENDITIONS) * len(names) or None, "12 outputs")
    s3.delete_object(Bucket=source, Key="mirror/one.png")
    s3.delete_objects(Bucket=source, Delete={"Objects": [{"Key": "mirror/two.png"}, {"Key": "mirror/three.png"}]})
    kept = {"mini/mirror/kept.png.jpg", "tile/mirror/kept.png", "web/mirror/kept.png.webp"}
    awaited(lambda: outputs(configured, "mirror") == kept or None, "removal of all others")
    line = configured.log_line("removed", "mirror/two.png")
    removed = ("mini/mirror/two.png.jpg", "tile/mirror/two.png", "web/mirror/two.png.webp")
    assert line["outputs"] == [{"key": key} for key in removed]


def test_who_is_uploaded_again_has_outputs_again(configured: Pipeline) -> None:
    key = "mirror-again/cake.jpg"
    for _ in range(2):
        configured.upload(key, encoded(picture()))
        configured.object(f"tile/{key}")
        configured.client("s3").delete_object(Bucket=configured.stack.source_bucket, Key=key)
        awaited(lambda: not outputs(configured, "mirror-again") or None, "removal")


def test_an_old_version_that_expires_takes_nothing_away(configured: Pipeline) -> None:
    s3, source, key = configured.client("s3"), configured.stack.source_bucket, "mirror-versions/cake.jpg"
    for width in (100, 200):
        configured.upload(key, encoded(picture(width, 100)))
        newest, *older = s3.list_object_versions(Bucket=source, Prefix=key)["Versions"]
        configured.object(f"tile/{key}", of=newest["VersionId"])
    (old,) = older
    # As the bucket's life cycle does: S3 tells of it as of any other deletion.
    s3.delete_object(Bucket=source, Key=key, VersionId=old["VersionId"])
    # The upload's own and this one.
    configured.log_line("written", key, times=2)
    assert outputs(configured, "mirror-versions") == {f"mini/{key}.jpg", f"tile/{key}", f"web/{key}.webp"}


def test_without_the_permission_a_removal_fails(configured: Pipeline) -> None:
    event, policy = configured.notification("mirror/never-was.jpg"), Policy.of(configured, configured.role_arn)
    assert sorted(policy.actions) == sorted([*SYMPTOMS, *LOGGING, "s3:DeleteObject"])
    with policy.without("s3:DeleteObject"):
        assert "(AccessDenied) when calling the DeleteObject operation" in configured.send(event)["errorMessage"]
    assert configured.send(event)["outcomes"][0]["status"] == "removed"
