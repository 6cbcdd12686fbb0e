"""Listings of uploads and possible outputs: each key once, in order, page by page."""

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from aws.settings import Filter, Settings
from renditions import Rendition
from tools.common.errors import ToolError
from tools.operations.deployment import Deployment
from tools.operations.listing import outputs, uploads

# In S3's order, by the bytes of UTF-8.
KEYS = (
    "a!.jpg",
    "a.jpg",
    "a/",
    "a/+ %20\n.jpg",
    "a/b/",
    "a/b/c.JPG",
    "a/b/c.jpg",
    "a/b/c.png",
    "a/b0.jpg",
    "ab/c.jpg",
    "e\u0301/x.jpg",
    "é/x.jpg",
    "é/\uffee.jpg",
    "é/😀.jpg",
)
ALL = Filter("", "")


@dataclass(frozen=True)
class Bucket:
    """One bucket for uploads and outputs, with :data:`KEYS`.

    Attributes:
        asked: The prefix of each page's request.

    """

    s3: Any
    settings: Settings
    asked: list[str]


@pytest.fixture
def bucket(deployment: Deployment) -> Bucket:
    s3, name = deployment.client("s3", None), deployment.settings.source_bucket
    asked: list[str] = []

    def two_at_a_time(params: dict[str, Any], **_: object) -> dict[str, Any]:
        asked.append(params["Prefix"])
        return params | {"MaxKeys": 2}

    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", two_at_a_time)
    return Bucket(s3, replace(deployment.settings, destination_bucket=name), asked)


def test_the_keys_are_in_order() -> None:
    assert list(KEYS) == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize(
    ("filters", "prefix", "listed", "keys"),
    [
        ([ALL], "", [""], [key for key in KEYS if not key.endswith("/")]),
        ([ALL], "a/b", ["a/b"], ["a/b/c.JPG", "a/b/c.jpg", "a/b/c.png", "a/b0.jpg"]),
        ([Filter("a/", ".jpg")], "", ["a/"], ["a/+ %20\n.jpg", "a/b/c.jpg", "a/b0.jpg"]),
        ([Filter("a/", ".jpg")], "a/b/", ["a/b/"], ["a/b/c.jpg"]),
        ([Filter("a/b/", "")], "a", ["a/b/"], ["a/b/c.JPG", "a/b/c.jpg", "a/b/c.png"]),
        (
            [Filter("é/", ""), Filter("a/b/", ".png"), Filter("a/", ".JPG"), Filter("a/b/", ".jpg")],
            "",
            ["a/", "é/"],
            ["a/b/c.JPG", "a/b/c.jpg", "a/b/c.png", "é/x.jpg", "é/\uffee.jpg", "é/😀.jpg"],
        ),
        ([Filter("a", ".jpg"), Filter("ab/", ".jpg"), ALL], "ab", ["ab"], ["ab/c.jpg"]),
    ],
    ids=["all", "prefix", "filter", "narrower", "wider", "overlapping", "one in the other"],
)
def test_uploads_match_a_filter_and_the_prefix_and_are_listed_once(
    bucket: Bucket, filters: list[Filter], prefix: str, listed: list[str], keys: list[str]
) -> None:
    found = uploads(bucket.s3, replace(bucket.settings, filters=tuple(filters)), prefix)
    assert [one.key for one in found] == keys
    assert list(dict.fromkeys(bucket.asked)) == listed


@pytest.mark.parametrize("prefix", ["b", "A/", "a0/", "/a/", "old/a/"])
def test_a_prefix_outside_the_filters_is_an_error(bucket: Bucket, prefix: str) -> None:
    settings = replace(bucket.settings, filters=(Filter("a/", ".jpg"), Filter("é/", "")))
    told = f"no key under {prefix!r}, only a/*.jpg and é/* of uploads: give"
    with pytest.raises(ToolError, match=re.escape(told)):
        list(uploads(bucket.s3, settings, prefix))
    assert bucket.asked == []


@pytest.mark.parametrize(
    ("templates", "folder", "listed"),
    [
        (["{dir}{rendition}-{name}"], "", [""]),
        (["{dir}{rendition}-{name}"], "a/", ["a/"]),
        (["small/{dir}{name}", "{rendition}/{dir}{name}"], "a/", ["one/a/", "small/a/"]),
        (["a/{dir}{name}", "{dir}{rendition}-{name}"], "b/", ["a/b/", "b/"]),
        (["a/{dir}{name}", "{dir}{rendition}-{name}"], "a/", ["a/"]),
    ],
)
def test_outputs_are_listed_below_each_template_s_prefix(
    bucket: Bucket, templates: list[str], folder: str, listed: list[str]
) -> None:
    names = ("zero", "one")
    renditions = tuple(Rendition(name, scale=0.5, key=key) for name, key in zip(names, templates, strict=False))
    found = [one.key for one in outputs(bucket.s3, replace(bucket.settings, renditions=renditions), folder)]
    assert found == [key for key in KEYS if any(key.startswith(prefix) for prefix in listed)]
    assert list(dict.fromkeys(bucket.asked)) == listed


def test_a_listing_agrees_with_a_head_request(bucket: Bucket) -> None:
    for one in uploads(bucket.s3, bucket.settings, ""):
        looked = bucket.s3.head_object(Bucket=bucket.settings.source_bucket, Key=one.key)
        assert (one.etag, one.modified, one.size) == (looked["ETag"], looked["LastModified"], looked["ContentLength"])
