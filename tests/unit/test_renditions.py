"""Renditions: sizes, keys, validation and digests."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as options
from hypothesis import strategies as st

from errors import SettingsError
from key_template import MANIFEST_SUFFIX, KeyTemplate
from renditions import DEFAULT_METADATA, Rendition, check_no_collisions

KEYS = st.text("ab-/.", min_size=1, max_size=8).filter(lambda key: not key.endswith("/"))
TEMPLATES = st.builds(
    "{}{{dir}}{}{{name}}{}".format,
    st.sampled_from(["", "a/", "b/", "a/b/"]),
    st.sampled_from(["", "a-", "a-b-", "b-", "a/", "a/b-"]),
    st.sampled_from(["", "-a", "-b", ".b", "-a.b"]),
)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("cake.jpg", "resized-cake.jpg"),
        ("a/b c+d%é.jpg", "a/resized-b c+d%é.jpg"),
        ("/leading//double.png", "/leading//resized-double.png"),
        ("no-extension", "resized-no-extension"),
    ],
)
def test_the_output_key_prefixes_the_file_name(source: str, output: str) -> None:
    rendition = Rendition("resized", scale=0.5)
    assert rendition.output_key(source) == output
    assert rendition.template.can_give(output)
    assert not rendition.template.can_give(source)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({"format": "webp"}, "a/thumb-cake.jpg.webp"),
        ({"format": "jpeg"}, "a/thumb-cake.jpg.jpg"),
        ({"key": "{rendition}/{dir}{name}"}, "thumb/a/cake.jpg"),
        ({"key": "{dir}{rendition}/{name}", "format": "png"}, "a/thumb/cake.jpg.png"),
        ({"key": "{dir}{stem}/{name}"}, "a/cake/cake.jpg"),
        ({"key": "{dir}x-{name}.{ext}"}, "a/x-cake.jpg.jpg"),
    ],
)
def test_the_key_follows_the_template(options: dict[str, str], output: str) -> None:
    rendition = Rendition("thumb", scale=0.5, **options)  # type: ignore[arg-type]  # of different types
    assert rendition.output_key("a/cake.jpg") == output
    assert rendition.template.can_give(output)


@given(TEMPLATES, TEMPLATES, KEYS, KEYS)
def test_accepted_renditions_never_share_a_key(one: str, other: str, first: str, second: str) -> None:
    renditions = [Rendition("one", scale=1, key=one), Rendition("two", scale=1, key=other)]
    try:
        check_no_collisions(renditions)
    except SettingsError:
        return
    assert renditions[0].output_key(first) != renditions[1].output_key(second)


ENDS = [".", ".renditions", "renditions", ".json", "json"]
NAME_PIECES = st.sampled_from(["a", "-", "/", "on", "renditions.json", *ENDS])
ODD_KEYS = st.lists(NAME_PIECES, min_size=1, max_size=4).map("".join).filter(lambda key: not key.endswith("/"))
TEMPLATE_PIECES = st.sampled_from(["{stem}", "{ext}", "a", "-", "/", *ENDS])
ODD_TEMPLATES = st.builds(
    lambda before, after: "{dir}" + "".join(before) + "{name}" + "".join(after).replace("/", ""),
    st.lists(TEMPLATE_PIECES, max_size=3),
    st.lists(TEMPLATE_PIECES, max_size=3),
)
MANIFEST = KeyTemplate.of("{dir}{name}" + MANIFEST_SUFFIX, "")


@options(max_examples=2000)
@given(ODD_TEMPLATES, ODD_KEYS)
def test_an_accepted_rendition_never_has_the_key_of_a_manifest(template: str, source: str) -> None:
    rendition = Rendition("one", scale=1, key=template)
    assume(not source.endswith(MANIFEST_SUFFIX))
    try:
        check_no_collisions([rendition], with_manifest=True)
    except SettingsError:
        return
    assert not MANIFEST.can_give(rendition.output_key(source))


@pytest.mark.parametrize(
    ("key", "image_format", "source"),
    [
        ("{dir}{name}.json", None, "cake.renditions"),
        ("{dir}{name}.renditions.{ext}", None, "cake.json"),
        ("{dir}{rendition}.{name}", None, "renditions.json"),
        ("{dir}.renditions.{ext}{name}", None, "json"),
    ],
)
def test_a_rendition_that_could_write_a_manifest_is_rejected(key: str, image_format: str | None, source: str) -> None:
    rendition = Rendition("one", scale=1, key=key, format=image_format)
    assert MANIFEST.can_give(rendition.output_key(source))
    check_no_collisions([rendition])
    with pytest.raises(SettingsError, match=r"renditions\.one and the manifest could write one key: set its"):
        check_no_collisions([rendition], with_manifest=True)
    check_no_collisions([replace(rendition, format="webp")], with_manifest=True)


@pytest.mark.parametrize(
    "key", ["{dir}{rendition}-{name}", "{rendition}/{dir}{name}", "{dir}v1.2/{name}", "{dir}{name}"]
)
def test_usual_keys_are_accepted_with_manifests(key: str) -> None:
    check_no_collisions([Rendition("one", scale=1, key=key)], with_manifest=True)


@given(TEMPLATES, KEYS)
def test_every_output_key_is_recognised(key: str, source: str) -> None:
    rendition = Rendition("one", scale=1, key=key)
    assert rendition.template.can_give(rendition.output_key(source))


@pytest.mark.parametrize(
    ("options", "source", "size"),
    [
        ({"scale": 0.5}, (49, 500), (25, 250)),
        ({"scale": 1}, (7, 9), (7, 9)),
        ({"scale": 0.001}, (100, 1), (1, 1)),
        ({"width": 320}, (4000, 3000), (320, 240)),
        ({"height": 300}, (4000, 3000), (400, 300)),
        ({"width": 320, "height": 320}, (4000, 3000), (320, 240)),
        ({"width": 320, "height": 100}, (4000, 3000), (133, 100)),
        ({"width": 5000}, (400, 300), (400, 300)),
        ({"width": 100, "height": 100, "fit": "cover"}, (4000, 3000), (100, 100)),
        ({"width": 800, "height": 800, "fit": "cover"}, (400, 300), (300, 300)),
        ({"width": 800, "height": 100, "fit": "cover"}, (400, 300), (400, 50)),
    ],
)
def test_the_size_of_an_output(options: dict[str, Any], source: tuple[int, int], size: tuple[int, int]) -> None:
    assert Rendition("r", **options).place(source).size == size


@given(st.tuples(*[st.integers(1, 5000)] * 4))
def test_a_cover_is_centred_and_never_enlarged(sides: tuple[int, int, int, int]) -> None:
    source, wanted = sides[:2], sides[2:]
    placement = Rendition("r", width=wanted[0], height=wanted[1], fit="cover").place(source)
    left, top, right, bottom = placement.box
    assert left == pytest.approx(source[0] - right)
    assert top == pytest.approx(source[1] - bottom)
    for out, low, high, full, most in zip(placement.size, (left, top), (right, bottom), source, wanted, strict=True):
        assert 0 <= low <= high <= full
        assert 1 <= out <= max(1, min(most, full))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "r: set either scale, or width, height or both"),
        ({"scale": 0.5, "width": 1}, "r: set either scale"),
        ({"scale": 0}, r"r\.scale is 0: it must be from 0.0001 to 1"),
        ({"scale": 0.00009}, r"r\.scale is 9e-05"),
        ({"scale": True}, r"r\.scale is True"),
        ({"scale": "0.5"}, r"r\.scale is '0.5'"),
        ({"width": 0}, r"r\.width is 0: it must be a whole number"),
        ({"width": 1.5}, r"r\.width is 1.5"),
        ({"height": 65536}, r"r\.height is 65536: it must be a whole number of pixels from 1 to 65535"),
        ({"width": 1, "fit": "fill"}, r"r\.fit is 'fill': use inside, cover or contain"),
        ({"width": 1, "fit": "cover"}, r"r\.fit is cover, which needs both"),
        ({"height": 1, "fit": "contain"}, r"r\.fit is contain, which needs both"),
        (
            {"width": 1, "height": 1, "fit": "cover", "focus": "face"},
            r"r\.focus is 'face': use center, entropy or meta",
        ),
        ({"scale": 1, "focus": "entropy"}, r'r\.focus is entropy, which needs fit = "cover"'),
        ({"scale": 1, "focus": []}, r"r\.focus is \[\]: it must be a string"),
        ({"scale": 1, "format": "gif"}, r"r\.format is 'gif': use jpeg, png, webp, avif"),
        ({"scale": 1, "quality": 0}, r"r\.quality is 0"),
        ({"scale": 1, "ssimulacra2": 29.9}, r"r\.ssimulacra2 is 29.9: it must be a number from 30 to 90"),
        ({"scale": 1, "ssimulacra2": 91}, r"r\.ssimulacra2 is 91"),
        ({"scale": 1, "ssimulacra2": "70"}, r"r\.ssimulacra2 is '70'"),
        ({"scale": 1, "ssimulacra2": 70, "quality": 80}, r"r has both quality and ssimulacra2: set one of them"),
        ({"scale": 1, "hdr": "on"}, r"r\.hdr is 'on': use keep or drop"),
        ({"scale": 1, "hdr": True}, r"r\.hdr is True"),
        ({"scale": 1, "background": "red"}, r"r\.background is 'red': use a colour such as #ffffff"),
        ({"scale": 1, "storage_class": "GLACIER"}, r"r\.storage_class is 'GLACIER': use one of STANDARD"),
        ({"scale": 1, "key": "{dir}a-{name}/b"}, r"r\.key is .*text after \{name\} must not contain one"),
        ({"scale": 1, "key": 5}, r"r\.key is 5: it must be a string"),
        ({"scale": 1, "fit": []}, r"r\.fit is \[\]: it must be a string"),
        ({"scale": 1, "format": {}}, r"r\.format is \{\}: it must be a string"),
        ({"scale": 1, "cache_control": 5}, r"r\.cache_control is 5: it must be a string"),
        ({"scale": 1, "cache_control": "a\nb"}, r"r\.cache_control is 'a\\nb': use printable ASCII"),
        ({"scale": 1, "key": "{name}"}, r"r\.key is '{name}': it must contain"),
        ({"scale": 1, "key": "{dir}{name}{name}"}, r"r\.key is"),
        ({"scale": 1, "key": "x{dir}{name}"}, r"r\.key is"),
        ({"scale": 1, "key": "{dir}{size}-{name}"}, r"r\.key is"),
        ({"size": 1}, r"r\.size is unknown: use background, cache_control"),
    ],
)
def test_an_invalid_option_is_named_with_the_fix(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=rf"^renditions\.{message}"):
        Rendition.parse("r", options)


@pytest.mark.parametrize("name", ["Upper", "a/b", "a--b", "-a", ""])
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(SettingsError, match="use lower-case letters, digits and single hyphens"):
        Rendition.parse(name, {"scale": 1})


def test_null_is_the_default() -> None:
    nulls = dict.fromkeys(["width", "height", "format", "quality", "key", "cache_control"])
    assert Rendition.parse("r", {"scale": 0.5, **nulls}) == Rendition("r", scale=0.5)


def test_settings_that_differ_have_different_digests() -> None:
    renditions = [Rendition("r", scale=scale, quality=quality) for scale in (0.5, 1) for quality in (None, 80)]
    assert len({one.digest(metadata) for one in renditions for metadata in ("none", "all")}) == 8
    assert Rendition("r", scale=1, ssimulacra2=70).digest("all") != Rendition("r", scale=1).digest("all")
    parsed = Rendition.parse("r", json.loads('{"scale": 0.5}'))
    assert renditions[0].digest("none") == parsed.digest("none")


@pytest.mark.parametrize(
    ("options", "metadata", "digest"),
    [
        # Digests of release 0.1.0.
        ({"scale": 0.5}, DEFAULT_METADATA, "3ad0529f2d7f178d"),
        (
            {"width": 320, "height": 200, "fit": "cover", "format": "webp", "quality": 75},
            DEFAULT_METADATA,
            "da8ac4bd42c66353",
        ),
        # The digests of 0.1.0 did not include the metadata policy.
        ({"scale": 0.5}, "all", "f51faa457a549499"),
    ],
)
def test_digests_do_not_change(options: dict[str, Any], metadata: str, digest: str) -> None:
    assert Rendition("r", **options).digest(metadata) == digest


def test_signed_outputs_have_another_digest() -> None:
    rendition = Rendition("r", scale=0.5)
    assert (
        rendition.digest("all", is_signed=False) == rendition.digest("all") != rendition.digest("all", is_signed=True)
    )


def test_a_digest_ignores_a_new_option_with_its_default() -> None:
    @dataclass(frozen=True)
    class Newer(Rendition):
        sharpen: int = 0

    old, new = Rendition("r", scale=0.5), Newer("r", scale=0.5)
    assert new.digest("none") == old.digest("none") != Newer("r", scale=0.5, sharpen=1).digest("none")


def test_a_folder_in_the_template_matches_only_whole_folders() -> None:
    rendition = Rendition("r", scale=0.5, key="out/{dir}thumbs/{name}")
    keys = ("out/thumbs/x.jpg", "out/my/thumbs/x.jpg", "out/mythumbs/x.jpg", "my/thumbs/x.jpg")
    assert [rendition.template.can_give(key) for key in keys] == [True, True, False, False]
