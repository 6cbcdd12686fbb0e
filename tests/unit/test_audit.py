"""The audit: its findings are right for any keys, settings and age of the outputs."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import settings as options
from hypothesis import strategies as st

from aws.outcomes import ObjectAddress, Status
from aws.reconcile import Reconciler
from aws.settings import Filter, Settings
from imaging.limits import Limits
from key_template import KeyTemplate
from renditions import MetadataPolicy, Rendition, check_no_collisions
from tests.images import encode, picture
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.operations import audit as auditing
from tools.operations import database
from tools.operations.audit import Audit, Finding, Kind, KnownFailures, Scope, start_audit
from tools.operations.console import Console
from tools.operations.deployment import Deployment
from tools.operations.failure_queue import Record
from tools.operations.listing import Listed
from tools.operations.session import Session

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RESERVED = "batch-operations/images/"
RESIZED = Rendition("resized", scale=0.5)
MANIFEST = KeyTemplate.of("{dir}{name}.renditions.json", "")
SETTINGS = Settings("uploads", "resized", "", (RESIZED,), MetadataPolicy.COPYRIGHT, Limits(512 << 20))


def list_object(key: str, modified: datetime = NOON, etag: str = '"1"') -> Listed:
    return Listed(key, etag, modified, 100)


CAKE = list_object("a/cake.jpg")
OUTPUT = "a/resized-cake.jpg"


@dataclass(frozen=True)
class Buckets:
    """S3's listings of some buckets, one key a page."""

    objects: Mapping[str, Iterable[Listed]]

    def get_paginator(self, _: str) -> "Buckets":
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        for one in sorted(self.objects[request["Bucket"]], key=lambda one: one.key.encode()):
            if one.key.startswith(request["Prefix"]):
                found = {"Key": one.key, "ETag": one.etag, "LastModified": one.modified, "Size": one.size}
                yield {"Contents": [found]}
        yield {}


@dataclass
class Run:
    """An audit an hour after noon, and its findings."""

    uploads: Iterable[Listed]
    there: Iterable[Listed]
    settings: Settings = SETTINGS
    folder: str = ""
    known: KnownFailures = field(default_factory=KnownFailures)

    def __post_init__(self) -> None:
        buckets = {self.settings.source_bucket: self.uploads, self.settings.destination_bucket: self.there}
        before = NOON + timedelta(hours=1)
        self.audit = Audit(self.settings, Buckets(buckets), RESERVED, before, self.folder, known=self.known)
        self.listed = self.compared = 0
        self.findings = list(self.audit.run(self._advance))

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """Kind, output and reason of each finding."""
        return [(one.kind.value, one.output, one.why) for one in self.findings]

    @property
    def tally(self) -> dict[str, int]:
        return {kind.value: count for kind, count in self.audit.tally.items()}

    def _advance(self, more_listed: int, more_compared: int) -> None:
        self.listed += more_listed
        self.compared += more_compared


REJECTED = KnownFailures(rejected={(CAKE.key, CAKE.etag): "corrupt: it is cut off"})
GIVEN_UP = KnownFailures(given_up={CAKE.key: "RetriesExhausted: it timed out"})


@pytest.mark.parametrize(
    ("upload", "output", "known", "kind", "why"),
    [
        (CAKE, NOON, KnownFailures(), "good", ""),
        (CAKE, NOON + SECOND, REJECTED, "good", ""),
        (CAKE, None, KnownFailures(), "missing", "there is no output"),
        (CAKE, NOON - SECOND, KnownFailures(), "stale", "older than its source"),
        (CAKE, None, REJECTED, "failed", "corrupt: it is cut off"),
        (CAKE, NOON - SECOND, REJECTED, "failed", "corrupt: it is cut off"),
        (replace(CAKE, etag='"2"'), None, REJECTED, "missing", "there is no output"),
        (CAKE, None, GIVEN_UP, "missing", "there is no output: RetriesExhausted: it timed out"),
        (CAKE, NOON - SECOND, GIVEN_UP, "stale", "older than its source: RetriesExhausted: it timed out"),
        (replace(CAKE, modified=NOON + 3599 * SECOND), None, KnownFailures(), "missing", "there is no output"),
        (replace(CAKE, modified=NOON + 3600 * SECOND), None, GIVEN_UP, "recent", ""),
        (replace(CAKE, modified=NOON + 3600 * SECOND), NOON, KnownFailures(), "recent", ""),
        (replace(CAKE, modified=NOON + 3600 * SECOND), None, REJECTED, "failed", "corrupt: it is cut off"),
        (None, NOON, KnownFailures(), "orphaned", "it has no upload"),
    ],
)
def test_an_output_is_of_one_kind(
    upload: Listed | None, output: datetime | None, known: KnownFailures, kind: str, why: str
) -> None:
    run = Run([upload] if upload else [], [list_object(OUTPUT, output)] if output else [], known=known)
    reported = [] if kind in {"good", "recent"} else [Finding(Kind(kind), OUTPUT, upload, why)]
    assert (run.findings, run.tally) == (reported, {kind: 1})
    assert run.audit.agrees == (kind not in {"missing", "stale"})
    assert (run.listed, run.compared) == (int(upload is not None), 1)


@pytest.mark.parametrize(
    "key",
    ["cake.jpg", "a/cake.jpg", "a/resize-cake.jpg", "resized-a/cake.jpg", f"{RESERVED}manifests/resized-1.csv", "a/"],
)
def test_an_object_whose_key_no_rendition_makes_is_foreign(key: str) -> None:
    run = Run([], [list_object(key)])
    assert (run.found, run.tally) == ([], {"foreign": 1})


def test_source_and_destination_may_be_one_bucket() -> None:
    renditions = (replace(RESIZED, key="resized/{dir}{name}"),)
    settings = replace(SETTINGS, destination_bucket="uploads", renditions=renditions, filters=(Filter("in/", ""),))
    both = [list_object(key) for key in ("in/1.jpg", "in/2.jpg", "other.jpg", "resized/in/1.jpg", "resized/in/3.jpg")]
    assert [(kind, output) for kind, output, _ in Run(both, both, settings).found] == [
        ("missing", "resized/in/2.jpg"),
        ("orphaned", "resized/in/3.jpg"),
    ]


@pytest.mark.parametrize("folder", ["photoz/", "images/photos/", "old/"])
def test_a_misspelt_folder_is_not_all_clear(folder: str) -> None:
    settings = replace(SETTINGS, filters=(Filter("photos/", ""),))
    assert Run([], [], settings, "photos/2026/").audit.agrees
    with pytest.raises(ToolError, match=f"handles no key under '{folder}'"):
        Run([], [list_object(f"{folder}resized-cake.jpg")], settings, folder)


def test_an_audit_ignores_recent_uploads(deployment: Deployment) -> None:
    hour = timedelta(hours=1)
    earliest = datetime.now(UTC) - hour
    session = Session(deployment, Console(as_json=True))
    made = start_audit(session, Scope("a/", deep=True, grace_seconds=3600))
    assert earliest <= made.before <= datetime.now(UTC) - hour
    assert (made.folder, made.deep, made.reserved_prefix) == ("a/", True, RESERVED)


def test_a_full_disk_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    # SQLite reports a database at its size limit as a full disk.
    monkeypatch.setattr(database, "CACHE_KIB", "1; PRAGMA max_page_count = 2")
    with pytest.raises(ToolError, match=r"^Cannot sort on disk: .*: set TMPDIR to a folder with more room$"):
        Run([list_object(f"{number}.jpg") for number in range(1000)], [])


# The failure queue


def record(body: Mapping[str, object]) -> Record:
    attributes = {"SentTimestamp": "1795605599123", "ApproximateReceiveCount": "1"}
    message = {"MessageId": "id", "ReceiptHandle": "receipt", "Attributes": attributes, "Body": json.dumps(body)}
    return Record.of(message)


def test_known_failures_are_about_this_bucket_and_the_latest_wins() -> None:
    rejection = {"bucket": "uploads", "key": "a.jpg", "etag": '"1"', "reason": "corrupt", "message": "cut off"}
    given_up = json.loads((ROOT / "events" / "on-failure.json").read_text())
    several = json.loads((ROOT / "events" / "put-several.json").read_text())
    timed_out = given_up | {"requestPayload": several, "responsePayload": None}
    records = [
        record(rejection),
        record(rejection | {"etag": '"2"'}),
        record(rejection | {"reason": "too_large", "message": ""}),
        record(rejection | {"bucket": "others"}),
        record({}),
    ]
    assert KnownFailures.of(records, "uploads") == KnownFailures(
        {("a.jpg", '"1"'): "too_large", ("a.jpg", '"2"'): "corrupt: cut off"}
    )
    known = KnownFailures.of([record(given_up), record(timed_out)], "src-bucket-image-in")
    assert known == KnownFailures(given_up={"cake.jpg": "RetriesExhausted", "a/b c+d%é.jpg": "RetriesExhausted"})
    assert (
        KnownFailures.of([record(given_up)], "src-bucket-image-in")
        .given_up["cake.jpg"]
        .startswith("RetriesExhausted: 1 of 1 objects failed: ")
    )


# Any keys


@dataclass(frozen=True)
class Pipeline:
    """Renditions, and regular expressions that their outputs' keys match.

    Attributes:
        renditions: The renditions.
        shapes: One for each rendition, and for the manifest; ``FOLDER`` stands for the source's folder.
        in_a_folder: Whether an output's key shows its source's folder.
        manifest: The template of the manifests' keys; None if there are none.

    """

    renditions: tuple[Rendition, ...]
    shapes: tuple[str, ...]
    in_a_folder: bool = True
    manifest: KeyTemplate | None = None

    @property
    def settings(self) -> Settings:
        return replace(SETTINGS, renditions=self.renditions, manifest=self.manifest)

    def could_be_output(self, key: str, folder: str) -> bool:
        if key.endswith("/") or (folder and not self.in_a_folder):
            return False
        shapes = (shape.replace("FOLDER", re.escape(folder) + "(.*/)?") for shape in self.shapes)
        return any(re.fullmatch(shape, key, re.DOTALL) for shape in shapes)


def rendition(name: str, key: str, **more: Any) -> Rendition:
    return Rendition(name, scale=0.5, key=key, **more)


PIPELINES = (
    Pipeline((RESIZED,), ("FOLDERresized-[^/]*",)),
    Pipeline((rendition("o", "{rendition}/{dir}{name}", format="png"),), (r"o/FOLDER[^/]*\.png",)),
    Pipeline((rendition("o", "o/{dir}{name}"),), ("o/FOLDER[^/]*",)),
    Pipeline((rendition("o", "b/{dir}{ext}-{name}-{stem}!"),), ("b/FOLDER[^/]*!",)),
    Pipeline((rendition("o", "{dir}thumbs/{name}"),), ("FOLDERthumbs/[^/]*",), in_a_folder=False),
    Pipeline((rendition("o", "{dir}{stem}/{name}"),), ("FOLDER.*/[^/]*",), in_a_folder=False),
    Pipeline(
        (rendition("one", "a/{dir}a-{name}"), rendition("other", "{dir}b-{name}", format="webp")),
        ("a/FOLDERa-[^/]*", r"FOLDERb-[^/]*\.webp"),
    ),
    Pipeline((RESIZED,), ("FOLDERresized-[^/]*", r"FOLDER[^/]*\.renditions\.json"), manifest=MANIFEST),
)
PIECES = ("a", "b", "o", "/", "/", "!", ".", "0", "-", "A", "~", "é", "e\u0301", "\uffee", "😀", "\n", "\0", "resized-")
KEYS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
FOLDERS = st.sampled_from(["", "", "a/", "b/", "o/", "a/b/", "/", "é/", "a/a/", "thumbs/"])
AGES = st.sampled_from([None, None, -SECOND, timedelta(), SECOND])
"""Time from the upload to its output; None if there is no output."""


@options(max_examples=250, deadline=None)
@given(st.data(), st.sampled_from(PIPELINES), FOLDERS, st.sets(KEYS, max_size=12), st.sets(KEYS, max_size=6))
def test_findings_equal_a_comparison_of_two_dictionaries(
    data: st.DataObject, pipeline: Pipeline, folder: str, keys: set[str], others: set[str]
) -> None:
    check_no_collisions(pipeline.renditions)
    in_folder = {key for key in keys if key.startswith(folder) and not key.endswith("/")}
    templates = [target.template for target in pipeline.settings.targets]
    outputs = {one.fill(key): key for one in templates for key in keys if not key.endswith("/")}
    # Outputs of other folders exist, too, and so do outputs of deleted uploads.
    there = dict.fromkeys(others, NOON)
    there |= {one.fill(key): NOON for one in templates for key in others}
    for output in sorted(outputs):
        age = data.draw(AGES)
        there.pop(output, None)
        if age is not None:
            there[output] = NOON + age
    expected = {output: key for output, key in outputs.items() if key in in_folder}
    findings: list[tuple[str, str, str | None]] = []
    for output in sorted(expected.keys() | there.keys(), key=str.encode):
        if output in expected and output not in there:
            findings.append(("missing", output, expected[output]))
        elif output in expected and there[output] < NOON:
            findings.append(("stale", output, expected[output]))
        elif output not in expected and pipeline.could_be_output(output, folder) and output not in outputs:
            findings.append(("orphaned", output, None))
    run = Run(
        map(list_object, keys),
        [list_object(output, modified) for output, modified in there.items()],
        pipeline.settings,
        folder,
    )
    found = [(one.kind.value, one.output, one.source and one.source.key) for one in run.findings]
    assert found == findings
    assert run.tally.get("good", 0) == len(expected.keys() & there.keys()) - run.tally.get("stale", 0)
    places = tuple(one.prefix + folder for one in templates)
    assert run.listed == len(in_folder)
    assert run.compared == len(expected.keys() | {key for key in there if key.startswith(places)})


# A deep audit

PICTURE = encode(picture(16, 12))


class Works:
    """Two buckets, and the function's reconciler, which resizes from one into the other."""

    def __init__(self, deployment: Deployment) -> None:
        self.settings = deployment.settings
        self.s3 = deployment.client("s3", None)
        self._reconciler = Reconciler(self.s3, self.settings)

    def upload(self, *keys: str, body: bytes = PICTURE) -> None:
        for key in keys:
            self.s3.put_object(Bucket="uploads", Key=key, Body=body)

    def resize(self, *keys: str) -> None:
        for key in keys:
            outcome = self._reconciler.reconcile(ObjectAddress("uploads", key), lambda: math.inf)
            assert outcome.status is Status.WRITTEN

    def audit(self, *, deep: bool = True) -> list[tuple[str, str, str]]:
        """Kind, output and reason of each finding."""
        made = Audit(self.settings, self.s3, RESERVED, datetime.now(UTC), deep=deep)
        return [(one.kind.value, one.output, one.why) for one in made.run(lambda *_: None)]


@pytest.fixture
def works(deployment: Deployment) -> Works:
    made = Works(deployment)
    keys = ("cake.jpg", "a/b c+d%é.jpg", "a/e\u0301 😀.jpg", "a!/x.jpg")
    made.upload(*keys)
    made.resize(*keys)
    return made


@pytest.mark.parametrize("deep", [False, True])
def test_outputs_of_the_function_are_good(works: Works, deep: bool) -> None:
    assert works.audit(deep=deep) == []


def test_a_manifest_is_audited_like_an_output(deployment: Deployment) -> None:
    settings = replace(
        deployment.settings, renditions=(RESIZED, rendition("web", "web/{dir}{name}")), manifest=MANIFEST
    )
    works = Works(replace(deployment, settings=settings))
    works.upload("a/cake.jpg", "a/tart.jpg")
    works.resize("a/cake.jpg", "a/tart.jpg")
    assert works.audit() == []
    works.s3.delete_object(Bucket="resized", Key="a/cake.jpg.renditions.json")
    works.s3.delete_object(Bucket="uploads", Key="a/tart.jpg")
    assert works.audit() == [
        ("missing", "a/cake.jpg.renditions.json", "there is no output"),
        ("orphaned", "a/resized-tart.jpg", "it has no upload"),
        ("orphaned", "a/tart.jpg.renditions.json", "it has no upload"),
        ("orphaned", "web/a/tart.jpg", "it has no upload"),
    ]
    works.settings = replace(settings, renditions=(RESIZED,))
    assert ("stale", "a/cake.jpg.renditions.json", "made with other settings") not in works.audit(deep=False)
    works.resize("a/cake.jpg")
    assert ("stale", "a/cake.jpg.renditions.json", "made with other settings") in works.audit()


def test_manifests_are_orphaned_once_they_are_turned_off(deployment: Deployment) -> None:
    settings = replace(deployment.settings, manifest=MANIFEST)
    works = Works(replace(deployment, settings=settings))
    works.upload("a/cake.jpg")
    works.resize("a/cake.jpg")
    works.s3.put_object(Bucket="resized", Key="theirs.renditions.json", Body=b"{}")
    works.settings = replace(settings, manifest=None)
    orphans = [("orphaned", f"{name}.renditions.json", "manifest is false") for name in ("a/cake.jpg", "theirs")]
    assert works.audit(deep=False) == orphans
    assert works.audit() == orphans[:1]
    found = Run(
        [], [list_object(key) for key in ("a/b.jpg.renditions.json", "c.renditions.json")], SETTINGS, "a/"
    ).found
    assert found == [("orphaned", "a/b.jpg.renditions.json", "manifest is false")]


def test_a_manifest_is_no_upload_of_a_shared_bucket() -> None:
    renditions = (replace(RESIZED, key="resized/{dir}{name}"),)
    settings = replace(SETTINGS, destination_bucket="uploads", renditions=renditions, manifest=MANIFEST)
    both = [list_object(key) for key in ("cake.jpg", "cake.jpg.renditions.json")]
    found = Run(both, both, replace(settings, filters=(Filter("cake", ""),))).found
    assert found == [("missing", "resized/cake.jpg", "there is no output")]


def upload_again(works: Works) -> None:
    works.upload("cake.jpg", body=encode(picture(20, 16)))

    def list_in_one_second(parsed: dict[str, Any], **_: object) -> None:
        for found in parsed.get("Contents", []):
            found["LastModified"] += timedelta(hours="resized-" in found["Key"])

    works.s3.meta.events.register("after-call.s3.ListObjectsV2", list_in_one_second)


def resize_with_other_settings(works: Works) -> None:
    works.settings = replace(works.settings, renditions=(Rendition("resized", scale=0.5, quality=50),))


def overwrite_output(works: Works) -> None:
    works.s3.put_object(Bucket="resized", Key="resized-cake.jpg", Body=PICTURE, Metadata={"album": "summer"})


def copy_over_output(works: Works) -> None:
    works.upload("tart.jpg", body=encode(picture(20, 16)))
    works.resize("tart.jpg")
    source = {"Bucket": "resized", "Key": "resized-tart.jpg"}
    works.s3.copy_object(Bucket="resized", Key="resized-cake.jpg", CopySource=source)


def remove_before_head(works: Works) -> None:
    def before(params: Mapping[str, str], **_: object) -> None:
        if "cake" in params["Key"]:
            works.s3.delete_object(Bucket="resized", Key=params["Key"])

    works.s3.meta.events.register("provide-client-params.s3.HeadObject", before)


def list_an_hour_later(works: Works) -> None:
    """List the uploads with another time, as after an upload of the same bytes."""

    def later(parsed: dict[str, Any], **_: object) -> None:
        for found in parsed.get("Contents", []):
            found["LastModified"] -= timedelta(hours="resized-" not in found["Key"] and "cake" in found["Key"])

    works.s3.meta.events.register("after-call.s3.ListObjectsV2", later)


@pytest.mark.parametrize(
    ("change", "outputs", "why"),
    [
        (upload_again, ["resized-cake.jpg"], "made from another version of its source"),
        (list_an_hour_later, ["resized-cake.jpg"], "made from another version of its source"),
        (copy_over_output, ["resized-cake.jpg"], "made from another version of its source"),
        (overwrite_output, ["resized-cake.jpg"], "another program's object has its key"),
        (remove_before_head, ["resized-cake.jpg"], "deleted since it was listed"),
        (
            resize_with_other_settings,
            ["a!/resized-x.jpg", "a/resized-b c+d%é.jpg", "a/resized-e\u0301 😀.jpg", "resized-cake.jpg"],
            "made with other settings",
        ),
    ],
)
def test_only_a_deep_audit_compares_the_metadata_of_outputs(
    works: Works, change: Callable[[Works], None], outputs: list[str], why: str
) -> None:
    change(works)
    assert works.audit(deep=False) == []
    assert works.audit() == [("stale", output, why) for output in outputs]


def test_only_a_deep_audit_reports_what_outputs_lack(works: Works) -> None:
    without_end = encode(picture(), icc_profile=b"damaged").removesuffix(b"\xff\xd9")
    works.upload("a/photo.jpg", body=without_end)
    works.resize("a/photo.jpg")
    assert works.audit(deep=False) == []
    made = Audit(works.settings, works.s3, RESERVED, datetime.now(UTC), deep=True)
    findings = list(made.run(lambda *_: None))
    assert [(one.kind, one.output, one.why) for one in findings] == [
        (Kind.LACKING, "a/resized-photo.jpg", "profile, damage")
    ]
    assert made.agrees


def test_only_a_deep_audit_knows_whether_an_object_is_an_output(works: Works) -> None:
    source = {"Bucket": "resized", "Key": "resized-cake.jpg"}
    works.s3.copy_object(Bucket="resized", Key="resized-copy.jpg", CopySource=source)
    works.s3.put_object(Bucket="resized", Key="resized-theirs.jpg", Body=PICTURE)
    why = "it has no upload"
    orphans = [("orphaned", f"resized-{name}.jpg", why) for name in ("copy", "theirs")]
    assert works.audit(deep=False) == orphans
    assert works.audit() == orphans[:1]
    works.s3.copy_object(Bucket="resized", Key="resized-cake-2.jpg", CopySource=source)
    remove_before_head(works)
    assert works.audit() == [("stale", "resized-cake.jpg", "deleted since it was listed"), *orphans[:1]]


def test_a_deep_audit_keeps_the_order_of_the_keys(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "BATCH", 2)
    resize_with_other_settings(works)
    works.upload("0.jpg", "z.jpg")
    found = [output for _, output, _ in works.audit()]
    assert len(found) == 6
    assert found == sorted(found, key=str.encode)


def test_a_denied_request_ends_the_audit(works: Works) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadObject")

    works.s3.meta.events.register("before-call.s3.HeadObject", refuse)
    with pytest.raises(ClientError, match="Forbidden"):
        works.audit()
