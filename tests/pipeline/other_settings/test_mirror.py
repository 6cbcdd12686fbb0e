"""mirror_deletes: who removes a source removes its outputs."""

from tests.images import encoded, picture
from tests.pipeline.conftest import Pipeline, awaited

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
    assert line["outputs"] == ["mini/mirror/two.png.jpg", "tile/mirror/two.png", "web/mirror/two.png.webp"]


def test_who_is_uploaded_again_has_outputs_again(configured: Pipeline) -> None:
    key = "mirror-again/cake.jpg"
    for _ in range(2):
        configured.upload(key, encoded(picture()))
        configured.object(f"tile/{key}")
        configured.client("s3").delete_object(Bucket=configured.stack.source_bucket, Key=key)
        awaited(lambda: not outputs(configured, "mirror-again") or None, "removal")


def test_an_old_version_that_expires_takes_nothing_away(configured: Pipeline) -> None:
    s3, source, key = configured.client("s3"), configured.stack.source_bucket, "mirror-versions/cake.jpg"
    configured.upload(key, encoded(picture(100, 100)))
    first = configured.object(f"tile/{key}")
    configured.upload(key, encoded(picture(200, 100)))
    configured.object(f"tile/{key}", unless=first["ETag"])
    _, old = s3.list_object_versions(Bucket=source, Prefix=key)["Versions"]
    # As the bucket's life cycle does: S3 tells of it as of any other deletion.
    s3.delete_object(Bucket=source, Key=key, VersionId=old["VersionId"])
    configured.log_line("written", key, times=3)
    assert outputs(configured, "mirror-versions") == {f"mini/{key}.jpg", f"tile/{key}", f"web/{key}.webp"}
