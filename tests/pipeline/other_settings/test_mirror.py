"""mirror_deletes: who removes a source removes its outputs."""

from tests.images import encode, picture
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
        configured.upload(f"mirror/{name}", encode(picture(), "PNG"))
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
        configured.upload(key, encode(picture()))
        configured.object(f"tile/{key}")
        configured.client("s3").delete_object(Bucket=configured.stack.source_bucket, Key=key)
        awaited(lambda: not outputs(configured, "mirror-again") or None, "removal")


def versions(pipeline: Pipeline, key: str, count: int) -> list[str]:
    """Upload so many versions, each once the one before has its outputs; gives their ids."""
    for width in range(100, 100 + count):
        pipeline.upload(key, encode(picture(width, 100)))
        found = pipeline.client("s3").list_object_versions(Bucket=pipeline.stack.source_bucket, Prefix=key)["Versions"]
        # Of all renditions, the last that is written.
        pipeline.object(f"web/{key}.webp", of=found[0]["VersionId"])
    return [one["VersionId"] for one in reversed(found)]


def test_an_old_version_that_is_deleted_changes_nothing(configured: Pipeline) -> None:
    s3, source, key = configured.client("s3"), configured.stack.source_bucket, "mirror-versions/cake.jpg"
    old, _ = versions(configured, key, 2)
    before = s3.list_object_versions(Bucket=configured.stack.destination_bucket, Prefix=f"tile/{key}")["Versions"]
    s3.delete_object(Bucket=source, Key=key, VersionId=old)
    configured.log_line("ignored", key)
    assert outputs(configured, "mirror-versions") == {f"mini/{key}.jpg", f"tile/{key}", f"web/{key}.webp"}
    after = s3.list_object_versions(Bucket=configured.stack.destination_bucket, Prefix=f"tile/{key}")["Versions"]
    assert before == after


def test_what_becomes_current_by_a_deletion_has_its_outputs_again(
    configured: Pipeline,
) -> None:
    s3, source, key = configured.client("s3"), configured.stack.source_bucket, "mirror-back/cake.jpg"
    old, new = versions(configured, key, 2)
    s3.delete_object(Bucket=source, Key=key, VersionId=new)
    configured.object(f"web/{key}.webp", of=old)
    marker = s3.delete_object(Bucket=source, Key=key)["VersionId"]
    awaited(lambda: not outputs(configured, "mirror-back") or None, "removal")
    s3.delete_object(Bucket=source, Key=key, VersionId=marker)
    configured.object(f"web/{key}.webp", of=old)


def test_without_the_permission_a_removal_fails(configured: Pipeline) -> None:
    event, policy = configured.notification("mirror/never-was.jpg"), Policy.of(configured, configured.role_arn)
    assert sorted(policy.actions) == sorted([*SYMPTOMS, *LOGGING, "s3:DeleteObject", "s3:GetObject"])
    with policy.without("s3:DeleteObject"):
        assert "(AccessDenied) when calling the DeleteObject operation" in configured.send(event)["errorMessage"]
    assert configured.send(event)["outcomes"][0]["status"] == "gone"
    destination = configured.stack.destination_bucket
    markers = configured.client("s3").list_object_versions(Bucket=destination, Prefix="tile/mirror/never")
    assert "DeleteMarkers" not in markers
