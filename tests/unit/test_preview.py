"""The preview: its settings, its outputs, its figures and its page."""

import base64
import errno
import hashlib
import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image, ImageCms

from errors import Reason
from imaging import iptc, photoshop
from imaging.limits import Limits
from imaging.render import render
from renditions import MetadataPolicy, Rendition
from tests import gain_maps, pngs
from tests.hcl import parse
from tests.images import HEIC_PICTURE, corners, encode, load, picture, segment
from tests.unit.test_content_credentials import APP_11, STORE
from tools.common import hcl, pricing, tfvars
from tools.common.cli import save
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.preview import notes, pages, pipeline, rejections, run
from tools.preview.choice import introduce_settings, write_command, write_settings
from tools.preview.display import LONGEST_SIDE, Picture
from tools.preview.model import Cost, Output, Photo, Rejection, Rendered, Report, Step
from tools.preview.page import render_page
from tools.preview.pipeline import Written
from tools.preview.price import MOST_RUNS, measure_cpu, price
from tools.preview.recommendation import recommend
from tools.preview.render import render_photo
from tools.preview.variants import CURRENT, Comparison

NOTHING_ELSE = Comparison()

NOISY = Image.blend(picture(), Image.merge("RGB", [Image.effect_noise((320, 240), 60)] * 3), 0.2)
"""A low quality is visible in it."""

HOSTILE = """<script>alert(1)</script>"'&{{ 7 * 7 }}</title>.jpg"""


def var_file(folder: Path, text: str, name: str = "x.tfvars") -> Path:
    path = folder / name
    path.write_text(text)
    return path


# --- the settings


def test_the_defaults_match_the_module() -> None:
    text = (TERRAFORM / "variables.tf").read_text()
    variables = {block.labels[0]: block for block in parse(text, "variables.tf").blocks}
    for name in ("metadata", "max_pixels", "renditions"):
        written = text[variables[name].arguments["default"]]
        assert hcl.literals(f"default = {written}\n", name)["default"] == tfvars.DEFAULTS[name]
    kind = text[variables["function"].arguments["type"]]
    options = {name: int(value) for name, value in re.findall(r"(\w+)\s+= optional\(number, (\d+)\)", kind)}
    assert {name: options[name] for name in tfvars.DEFAULTS["function"]} == tfvars.DEFAULTS["function"]


def test_without_a_file_the_settings_are_the_defaults() -> None:
    settings = tfvars.read_settings([])
    assert settings.renditions == (Rendition("resized", scale=0.5),)
    assert settings.limits == Limits(1769 << 20)
    assert (settings.metadata, settings.timeout_seconds) == (MetadataPolicy.COPYRIGHT, 120)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "x.tfvars",
            """
            source_bucket = "in"
            renditions = {
              web  = { width = 1600, format = "webp", quality = 75, scale = null }
              tile = { width = 32, height = 32, fit = "cover" }
            }
            function   = { memory_size = 1024, timeout = null }
            max_pixels = 1e6
            metadata   = "all"
            """,
        ),
        (
            "x.tfvars.json",
            """
            {"//": "ours", "source_bucket": "in", "max_pixels": 1000000, "metadata": "all",
             "function": {"memory_size": 1024},
             "renditions": {"web": {"width": 1600, "format": "webp", "quality": 75, "scale": null},
                            "tile": {"width": 32, "height": 32, "fit": "cover"}}}
            """,
        ),
    ],
)
def test_a_file_overrides_only_its_own_variables(tmp_path: Path, name: str, text: str) -> None:
    settings = tfvars.read_settings([var_file(tmp_path, text, name)])
    web = Rendition("web", width=1600, format="webp", quality=75)
    assert settings.renditions == (Rendition("tile", width=32, height=32, fit="cover"), web)
    assert settings.limits == Limits(1024 << 20, 1_000_000)
    assert (settings.metadata, settings.timeout_seconds) == (MetadataPolicy.ALL, 120)


def test_null_means_the_default_and_later_files_override(tmp_path: Path) -> None:
    one = var_file(tmp_path, 'metadata = "all"\nmax_pixels = 9\n', "one.tfvars")
    other = var_file(tmp_path, 'metadata = "none"\nrenditions = null\n', "other.tfvars")
    settings = tfvars.read_settings([one, other])
    assert (settings.metadata, settings.limits.max_pixels) == (MetadataPolicy.NONE, 9)
    assert settings.renditions == (Rendition("resized", scale=0.5),)


def test_a_rendition_with_widths_and_formats_is_one_for_each(tmp_path: Path) -> None:
    text = """renditions = {
        all  = { widths = [4, 30], formats = ["avif", "webp"], quality = 70, width = null, key = null }
        few  = { widths = [5], height = 9, key = "{dir}f-{rendition}-{name}" }
        some = { scale = 0.5, formats = ["png"] }
    }
    """
    assert tfvars.read_settings([var_file(tmp_path, text)]).renditions == (
        Rendition("all-30-avif", width=30, format="avif", quality=70),
        Rendition("all-30-webp", width=30, format="webp", quality=70),
        Rendition("all-4-avif", width=4, format="avif", quality=70),
        Rendition("all-4-webp", width=4, format="webp", quality=70),
        Rendition("few-5", width=5, height=9, key="{dir}f-{rendition}-{name}"),
        Rendition("some-png", scale=0.5, format="png"),
    )


def test_a_preview_says_that_only_the_deployed_function_signs(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(picture()))
    key = 'content_credentials = { secret_arn = "arn:aws:secretsmanager:eu-west-2:1:secret:x", kms_key_arn = null }\n'
    for text, is_signed in ((key, True), ("content_credentials = null\n", False)):
        file = var_file(tmp_path, text)
        assert tfvars.read_settings([file]).is_signed == is_signed
        report = run.preview([tmp_path / "a.jpg"], tmp_path / "preview.html", var_file=file)
        assert (notes.UNSIGNED in report.how) == is_signed


def test_a_preview_lists_the_placeholder_if_it_is_asked_for(tmp_path: Path) -> None:
    file, photo = tmp_path / "x.tfvars", tmp_path / "photo.png"
    photo.write_bytes(encode(Image.new("RGB", (60, 40), (40, 90, 160)), "PNG"))
    for text, expected in (("", []), ("manifest = true\nplaceholders = true\n", ["dominant colour #285aa0"])):
        file.write_text(text)
        described, rejected = render_photo("photo.png", photo.read_bytes(), tfvars.read_settings([file]), Comparison())
        assert described is not None
        assert not rejected
        assert [name for name in described.properties if name.startswith("dominant")] == expected
        assert any(name.startswith("ThumbHash ") for name in described.properties) == bool(expected)
    file.write_text("placeholders = true")
    with pytest.raises(ToolError, match="placeholders needs manifest or events, which contain them"):
        tfvars.read_settings([file])


def test_a_preview_prices_and_checks_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(picture()))
    for text, has_manifest in (("manifest = true", True), ('manifest = "true"', True), ("manifest = false", False)):
        report = run.preview([tmp_path / "a.jpg"], tmp_path / "preview.html", var_file=var_file(tmp_path, text))
        assert (notes.MANIFEST in report.how) == has_manifest
    colliding = 'manifest = true\nrenditions = { a = { width = 1, key = "{dir}{name}.json" } }\n'
    with pytest.raises(ToolError, match="a and the manifest could write one key"):
        tfvars.read_settings([var_file(tmp_path, colliding)])


def test_files_are_in_terraforms_order(tmp_path: Path) -> None:
    for name in ("b.auto.tfvars", "terraform.tfvars", "a.auto.tfvars.json", "other.tfvars", "chosen.tfvars"):
        var_file(tmp_path, "", name)
    found = tfvars.find_files(tmp_path / "chosen.tfvars", tmp_path)
    assert [path.name for path in found] == ["terraform.tfvars", "a.auto.tfvars.json", "b.auto.tfvars", "chosen.tfvars"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("renditions = { web = { width = 0 } }", r"x\.tfvars: renditions\.web\.width is 0: it must be"),
        ('renditions = { a = { width = 1 }, b = { width = 2, key = "{dir}{name}" } }', "could write one key"),
        ("renditions = {}", "RENDITIONS is empty"),
        ("renditions = 3", "RENDITIONS must be a JSON object"),
        ("renditions = { a = 3 }", "RENDITIONS must be a JSON object"),
        ("renditions = { a = { width = 1, widths = [2] } }", r"renditions\.a has both width and widths: set one of"),
        ('renditions = { a = { width = 1, format = "png", formats = ["png"] } }', "a has both format and formats: set"),
        ("renditions = { a = { widths = 3 } }", r"a\.widths is 3: it must be different whole numbers of"),
        ("renditions = { a = { widths = [] } }", r"a\.widths is \[\]: it must be .* 1 to 65535, such as"),
        ("renditions = { a = { widths = [2, 2] } }", r"a\.widths is \[2, 2\]: it must be different"),
        ("renditions = { a = { widths = [0] } }", r"renditions\.a\.widths is \[0\]: it must be"),
        ("renditions = { a = { widths = [3.5] } }", r"a\.widths is \[3\.5\]: it must be"),
        ("renditions = { a = { widths = [70000] } }", r"a\.widths is \[70000\]: it must be"),
        ("renditions = { a = { widths = [2, null] } }", r"a\.widths is \[2, None\]: it must be"),
        (
            'renditions = { a = { width = 1, formats = ["jpg"] } }',
            r"a\.formats is \['jpg'\]: it must be different ones of",
        ),
        ('renditions = { a = { width = 1, formats = ["png", "png"] } }', r"a\.formats is \['png', 'png'\]: it must be"),
        ("renditions = { a = { widths = [2] }, a-2 = { scale = 1 } }", r"Two renditions have one name \(a-2\): widths"),
        ('renditions = { a = { widths = [2], key = "{dir}{name}" } }', r"a\.key is '\{dir\}\{name\}': with widths or"),
        ("function = 3", "function must be an object, not 3"),
        ("function = { memory_size = 0.5 }", "MEMORY_SIZE is '0.5': it must be a whole number"),
        ('metadata = "some"', "METADATA is 'some': use none, copyright, all"),
        ('manifest = "yes"', r"x\.tfvars: manifest is 'yes': use true or false"),
        ("max_pixels = pow(2, 3)", r"max_pixels has the expression `pow\(2, 3\)`: write its value"),
    ],
)
def test_invalid_settings_are_one_line_that_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        tfvars.read_settings([var_file(tmp_path, text + "\n")])


@pytest.mark.parametrize(
    ("text", "path", "nearest"),
    [
        ("rendition = { a = { scale = 1 } }", "rendition", "renditions"),
        ("renditions = { a = { widht = 3 } }", "renditions.a.widht", "width"),
        ("renditions = { a = { scale = 1 }, b = { width = 3, qualty = 1 } }", "renditions.b.qualty", "quality"),
        ("function = { memory_sise = 512 }", "function.memory_sise", "memory_size"),
        ("function = { vpc = { subnet_id = [] } }", "function.vpc.subnet_id", "subnet_ids"),
        ('filters = [{}, { sufix = ".jpg" }]', "filters.1.sufix", "suffix"),
        ("monitoring = { thresholds = { error = 3 } }", "monitoring.thresholds.error", "errors"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_one(tmp_path: Path, text: str, path: str, nearest: str) -> None:
    as_json = json.dumps(hcl.literals(text + "\n", "x"))
    for written, name in ((text + "\n", "x.tfvars"), (as_json, "x.tfvars.json")):
        with pytest.raises(ToolError) as error:
            tfvars.read_settings([var_file(tmp_path, written, name)])
        wanted = f"{tmp_path / name}: {path} is not a setting of the module: did you mean {nearest}?"
        assert str(error.value) == wanted


def test_an_unknown_setting_that_resembles_none_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"x\.tfvars: region is not a setting of the module: use alias, .*, trigger"):
        tfvars.read_settings([var_file(tmp_path, 'region = "eu-west-1"\n')])


def test_every_setting_of_the_module_is_known(tmp_path: Path) -> None:
    text = "\n".join(
        [
            'tags = { team = "a" }',
            'kms_key_arns = { queues = "arn" }',
            'package = { s3 = { bucket = "b", key = "k" } }',
            "monitoring = { thresholds = { errors = 3 } }",
            "function = { vpc = null, tracing = true }",
            'filters = [{ prefix = "a" }]',
        ]
    )
    assert tfvars.read_settings([var_file(tmp_path, text + "\n")]) == tfvars.read_settings([])


def test_a_missing_or_unreadable_settings_file_is_named(tmp_path: Path) -> None:
    missing = r"^Cannot read .*missing\.tfvars: No such file or directory: give the path"
    with pytest.raises(ToolError, match=missing):
        tfvars.read_settings(tfvars.find_files(tmp_path / "missing.tfvars"))
    (tmp_path / "x.tfvars").write_bytes(b"\xff")
    with pytest.raises(ToolError, match=r"x\.tfvars is not a \.tfvars file: it has other bytes than"):
        tfvars.read_settings([tmp_path / "x.tfvars"])
    with pytest.raises(ToolError, match=r"x\.tfvars\.json is not JSON: "):
        tfvars.read_settings([var_file(tmp_path, "{", "x.tfvars.json")])


@pytest.mark.parametrize(
    "text", ['{"metadata": "all", "metadata": "none"}', '{"renditions": {"a": {"metadata": 1, "metadata": 2}}}']
)
def test_a_setting_that_json_has_twice_is_refused_at_every_level(tmp_path: Path, text: str) -> None:
    with pytest.raises(ToolError, match=r"x\.tfvars\.json: metadata is set 2 times, but Terraform allows one: "):
        tfvars.read_settings([var_file(tmp_path, text, "x.tfvars.json")])


# --- the variants


def test_a_variant_changes_one_property_of_the_rendition() -> None:
    web = Rendition("web", width=9, quality=75)
    assert Comparison.parse(["quality=85,60"]).variants(web) == {
        CURRENT: web,
        "quality 60": Rendition("web", width=9, quality=60),
        "quality 85": Rendition("web", width=9, quality=85),
    }
    assert Comparison.parse(["format=webp"]).variants(web) == {
        CURRENT: web,
        "WebP": Rendition("web", width=9, quality=75, format="webp"),
    }


def test_variants_combine_qualities_and_formats_without_the_current_setting() -> None:
    web = Rendition("web", width=9, quality=75, format="webp")
    compared = Comparison.parse(["quality=60, 75", "format=webp,avif"])
    assert list(compared.variants(web)) == [CURRENT, "WebP 60", "AVIF 60", "AVIF 75"]
    assert list(NOTHING_ELSE.variants(web)) == [CURRENT]


def test_a_score_replaces_the_quality_and_a_quality_the_score() -> None:
    web = Rendition("web", width=9, quality=75)
    scored = Rendition("web", width=9, ssimulacra2=70)
    assert Comparison.parse(["ssimulacra2=80,70"]).variants(web) == {
        CURRENT: web,
        "quality for a score of 70": scored,
        "quality for a score of 80": Rendition("web", width=9, ssimulacra2=80),
    }
    assert Comparison.parse(["quality=75"]).variants(scored) == {CURRENT: scored, "quality 75": web}
    assert list(Comparison.parse(["ssimulacra2=70", "format=webp,png"]).variants(web)) == [
        CURRENT,
        "WebP for a score of 70",
        "PNG",
    ]


def test_the_current_setting_shows_its_score(tmp_path: Path) -> None:
    photo = made(encode(NOISY), tmp_path, "renditions = { r = { scale = 1, ssimulacra2 = 62.5 } }\n")
    (output,) = photo.renditions[0].outputs
    assert output.quality == "for a score of 62.5"
    assert output.score == pytest.approx(62.5, abs=3)


@pytest.mark.parametrize(
    "wanted",
    [
        "quality",
        "quality=",
        "quality=0",
        "quality=101",
        "quality=x",
        "ssimulacra2=29",
        "ssimulacra2=91",
        "format=gif",
        "size=3",
        "75",
    ],
)
def test_an_invalid_comparison_is_rejected(wanted: str) -> None:
    with pytest.raises(ToolError, match=r"^Cannot compare '.+': use --compare quality=60,75,85 with"):
        Comparison.parse([wanted])


# --- the outputs


def made(
    body: bytes, folder: Path | None = None, text: str = "", *, compare: tuple[str, ...] = (), name: str = "a.jpg"
) -> Photo:
    settings = tfvars.read_settings([var_file(folder, text)] if folder else [])
    photo, rejected = render_photo(name, body, settings, Comparison.parse(compare))
    assert photo is not None
    assert rejected == []
    return photo


def test_an_output_equals_the_functions_byte_for_byte() -> None:
    body = encode(NOISY, quality=95)
    photo = made(body, compare=("quality=50",))
    (rendered,) = photo.renditions
    for output, quality in zip(rendered.outputs, (None, 50), strict=True):
        rendition = Rendition("resized", scale=0.5, quality=quality)
        wanted = render(body, [rendition], limits=Limits(1769 << 20)).outputs[0]
        assert output.picture == Picture(wanted.body, "image/jpeg", 160, 120)
        assert output.byte_count == len(wanted.body)
        assert output.key == "resized-a.jpg"
    assert [output.quality for output in rendered.outputs] == ["75", "50"]
    assert (photo.format, photo.width, photo.height, photo.byte_count) == ("JPEG", 320, 240, len(body))


def test_metadata_follows_the_setting(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    body = encode(picture(), exif=exif)
    for policy, kept in (("all", True), ("none", False)):
        (rendered,) = made(body, tmp_path, f'metadata = "{policy}"\n').renditions
        assert (b"a description" in rendered.outputs[0].picture.body) == kept


def test_a_source_is_upright_scaled_and_cropped_like_the_output(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    body = encode(picture().rotate(90, expand=True), exif=exif, quality=95)
    (tile,) = made(body, tmp_path, 'renditions = { tile = { width = 90, height = 50, fit = "cover" } }\n').renditions
    shown = load(tile.source.body)
    assert shown.size == (90, 50) == (tile.source.width, tile.source.height)
    assert tile.source.note == ""
    output = load(tile.outputs[0].picture.body)
    assert np.abs(np.asarray(shown.convert("RGB"), int) - np.asarray(output, int)).mean() < 3
    assert (tile.outputs[0].score or 0) > 85


def test_a_large_source_is_shrunk_with_a_note(tmp_path: Path) -> None:
    body = encode(picture(2400, 600), quality=95)
    (whole,) = made(body, tmp_path, "renditions = { whole = { scale = 1 } }\n").renditions
    assert (whole.source.width, whole.source.height) == (LONGEST_SIDE, 500)
    assert whole.source.note == "shown at 2000 x 500 pixels, stored as JPEG at quality 95"
    assert (whole.outputs[0].picture.width, whole.outputs[0].picture.note) == (2400, "")


def test_colour_profiles_are_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (rendered,) = made(encode(picture(), icc_profile=profile)).renditions
    for shown in (rendered.source, rendered.outputs[0].picture):
        assert load(shown.body).info["icc_profile"] == profile


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_an_animation_stays_animated_and_its_frames_are_compared(image_format: str) -> None:
    frames = [picture().rotate(90 * turn) for turn in range(4)]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0}
    (rendered,) = made(encode(frames[0], image_format, **options)).renditions
    with Image.open(io.BytesIO(rendered.source.body)) as source:
        assert (source.format, source.n_frames, source.info["loop"]) == ("WEBP", 4, 0)  # type: ignore[attr-defined]
    # Mismatched frames would have a far lower score.
    assert (rendered.outputs[0].score or 0) > 55


def test_a_format_that_browsers_do_not_show_becomes_a_png_with_a_note() -> None:
    body = encode(picture(), "TIFF", save_all=True, append_images=[picture(200, 100)])
    (rendered,) = made(body, name="a.tiff").renditions
    (output,) = rendered.outputs
    assert (output.format, output.picture.media_type) == ("TIFF", "image/png")
    assert output.picture.note == "browsers do not show TIFF: this is its first page as a PNG"
    assert corners(load(output.picture.body)) == corners(picture())
    assert output.byte_count != len(output.picture.body)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "LAB", "I;16", "F"])
def test_sources_of_every_mode_resemble_their_outputs(mode: str) -> None:
    image = picture(mode="L").convert("I").point(lambda level: level * 257 + 0).convert("I;16")
    image = image if mode == "I;16" else picture(mode=mode)
    container = "PNG" if mode in {"LA", "RGBA", "I;16"} else "TIFF"
    photo = made(encode(image, container), compare=("format=jpeg,png,webp,avif",))
    for output in photo.renditions[0].outputs:
        assert (output.score or 0) > 70, output


def test_padding_does_not_raise_a_score(tmp_path: Path) -> None:
    def measure(options: str) -> Output:
        text = f"renditions = {{ r = {{ width = 320, height = 960, quality = 40{options} }} }}"
        (rendered,) = made(encode(NOISY, "PNG"), tmp_path, text, compare=("format=jpeg",)).renditions
        return rendered.outputs[-1]

    inside, contained = measure(""), measure(', fit = "contain"')
    assert contained.score == pytest.approx(inside.score, abs=2)
    assert contained.psnr == pytest.approx(inside.psnr, abs=0.5)


def test_a_long_ribbon_has_no_score() -> None:
    (rendered,) = made(encode(picture(2, 7000), "PNG")).renditions
    assert rendered.outputs[0].score is None
    assert rendered.outputs[0].psnr is not None


def test_a_rejection_has_its_reason_and_advice() -> None:
    settings = tfvars.read_settings([])
    photo, (rejection,) = render_photo("a.txt", b"text", settings, NOTHING_ELSE)
    assert photo is None
    assert (rejection.name, rejection.byte_count, rejection.reason) == ("a.txt", 4, Reason.NOT_AN_IMAGE)
    assert rejection.message.startswith("the content is not a JPEG")
    assert rejection.advice.startswith("Exclude such files with filters")
    _, (heic,) = render_photo("a.heic", HEIC_PICTURE.read_bytes(), settings, NOTHING_ELSE)
    assert (heic.reason, heic.advice[:18]) == (Reason.HEIC_NOT_BUILT_IN, "Build with --heic,")


def test_limits_follow_the_settings(tmp_path: Path) -> None:
    body = encode(picture(4000, 3000))
    for text, message in (
        ("max_pixels = 100\n", "max_pixels allows 100"),
        ("function = { memory_size = 121 }\n", "raise memory_size"),
        ('function = { timeout = 1 }\nrenditions = { a = { scale = 1, format = "avif" } }\n', "raise timeout"),
    ):
        settings = tfvars.read_settings([var_file(tmp_path, text)])
        photo, (rejection,) = render_photo("a.jpg", body, settings, NOTHING_ELSE)
        assert photo is None
        assert message in rejection.message


def test_a_rejected_variant_does_not_stop_the_others(tmp_path: Path) -> None:
    text = "function = { memory_size = 256 }\nrenditions = { whole = { scale = 1 } }\n"
    settings = tfvars.read_settings([var_file(tmp_path, text)])
    photo, (rejection,) = render_photo(
        "large.jpg", encode(picture(2500, 2000)), settings, Comparison.parse(["format=avif,png"])
    )
    assert photo is not None
    assert [output.name for output in photo.renditions[0].outputs] == [CURRENT, "PNG"]
    assert rejection.name == "large.jpg: whole, AVIF"
    assert rejection.advice.startswith("Raise function.memory_size")
    (recommendation,) = recommend([photo])
    assert [row.name for row in recommendation.rows] == [CURRENT, "PNG"]
    assert recommendation.sentences[-1] == "AVIF does not count: it was rejected for large.jpg."


def test_a_variant_limited_to_fewer_pixels_is_compared_at_its_own_size(tmp_path: Path) -> None:
    settings = tfvars.read_settings([var_file(tmp_path, "renditions = { whole = { scale = 1 } }\n")])
    photo, rejected = render_photo("wide.jpg", encode(picture(16400, 8)), settings, Comparison.parse(["format=webp"]))
    assert photo is not None
    assert not rejected
    current, webp = photo.renditions[0].outputs
    assert (current.picture.width, webp.picture.width) == (16400, 16383)
    assert (webp.psnr or 0) > 30


def test_advice_is_found_by_message_and_is_plain_text() -> None:
    advice = rejections.find_advice("corrupt", "the gzip content cannot be unpacked: invalid")
    assert advice == rejections.find_advice("corrupt", "the gzip content ends too early")
    assert advice.startswith("The object is stored with Content-Encoding: gzip")
    message = "resizing needs about 9 MiB, this function has 1 MiB for it: raise memory_size"
    advice = rejections.find_advice("too_large", message)
    assert advice.startswith("Raise function.memory_size, or make the outputs smaller; docs/images.md says how far. ")
    assert rejections.find_advice("corrupt", "no such message") == ""


# --- the cost


def test_the_time_is_the_median_of_a_few_quick_runs() -> None:
    def clock(*seconds: float) -> Iterator[float]:
        now = 0.0
        for one in seconds:
            yield now
            now += one
            yield now

    quick = clock(0.1, 0.01, 0.03, 0.02, 0.05)
    assert measure_cpu(lambda: None, lambda: next(quick)) == pytest.approx(0.03)
    assert list(quick) == []
    slow = clock(0.6, 9)
    assert measure_cpu(lambda: None, lambda: next(slow)) == pytest.approx(0.6)
    assert MOST_RUNS == 5


def test_the_first_run_of_a_variant_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seen = [0.0], set()

    def render_slowly_at_first(body: bytes, renditions: Sequence[Rendition], **options: Any) -> Any:
        key = str(renditions)
        now[0] += 0.02 if key in seen else 0.6
        seen.add(key)
        return render(body, renditions, **options)

    monkeypatch.setattr("tools.preview.render.render", render_slowly_at_first)
    monkeypatch.setattr("tools.preview.render.measure_cpu", partial(measure_cpu, clock=lambda: now[0]))
    (rendered,) = made(encode(picture()), compare=("quality=50",)).renditions
    assert [round(one.cost.milliseconds) for one in rendered.outputs if one.cost] == [20, 20]


def test_a_million_costs_the_bills_of_lambda_and_s3() -> None:
    settings = tfvars.read_settings([])
    # 60 ms of CPU, three requests to S3, and 15 MB at 75 MB/s.
    seconds = 0.06 + 3 * 0.03 + 0.2
    found = price(0.06, settings, moved=15_000_000, outputs=1)
    assert found.milliseconds == pytest.approx(60)
    assert found.dollars == pytest.approx(0.2 + 0.8 + 5 + 1e6 * seconds * 1769 / 1024 * pricing.GIB_SECOND["arm64"])


def test_less_memory_means_slower_cpu(tmp_path: Path) -> None:
    settings = tfvars.read_settings([var_file(tmp_path, "function = { memory_size = 885 }\n")])
    seconds = 0.06 * 1769 / 885 + 3 * 0.03
    of_lambda = 1e6 * seconds * 885 / 1024 * pricing.GIB_SECOND["arm64"]
    assert price(0.06, settings, moved=0, outputs=1).dollars == pytest.approx(6 + of_lambda, rel=1e-3)


# --- the recommendation


def output(name: str, byte_count: int, score: float | None, *losses: str) -> Output:
    shown = Picture(name.encode(), "image/jpeg", 4, 3)
    quality = name.rsplit(maxsplit=1)[-1] if name != CURRENT else "80"
    return Output(name, "resized-a.jpg", "JPEG", quality, byte_count, shown, score, 40.0, Cost(50, 10), losses)


def photo_of(*outputs: Output, name: str = "a.jpg") -> Photo:
    options = {one.name: {} if one.name == CURRENT else {"quality": int(one.quality)} for one in outputs}
    rendered = Rendered("resized", Picture(b"source", "image/webp", 4, 3), outputs, options)
    return Photo(name, "JPEG", 8, 6, 1000, [rendered], Cost(50, 10))


def test_the_smallest_acceptable_variant_is_recommended() -> None:
    easy = [output(CURRENT, 300, 90), output("quality 60", 100, 80), output("quality 75", 200, 85)]
    hard = [output(CURRENT, 300, 75), output("quality 60", 100, 69.5), output("quality 75", 200, 70)]
    (recommendation,) = recommend([photo_of(*easy), photo_of(*hard, name="hard.jpg")])
    assert recommendation.chosen == "quality 75"
    assert [(row.name, row.byte_count, row.score) for row in recommendation.rows] == [
        ("quality 60", 200, 69.5),
        ("quality 75", 400, 70),
        (CURRENT, 600, 75),
    ]
    assert " ".join(recommendation.sentences) == (
        "Choose quality 75: it has the fewest bytes of the variants with a score of at least 70 in every photo; its "
        "lowest is 70.0, for hard.jpg. It takes 33 % fewer bytes than the current setting, which has a score of 75.0."
    )
    # 200 bytes on average, a million times.
    assert recommendation.rows[1].keeping == pytest.approx(0.2 * pricing.S3_GB_MONTH)
    (recommendation,) = recommend([photo_of(*easy)])
    assert recommendation.chosen == "quality 60"


def animation(image_format: str) -> bytes:
    frames = [picture().rotate(90 * turn) for turn in range(4)]
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100, loop=0)


def with_segment(kind: int, data: bytes) -> bytes:
    """Return a JPEG with one more segment."""
    body = encode(picture())
    return body[:2] + segment(kind, data) + body[2:]


HDR_JPEG = gain_maps.iso_jpeg(*gain_maps.hdr_pictures())
PQ = encode(picture(), "AVIF").replace(b"colrnclx\0\1\0\r", b"colrnclx\0\t\0\x10")


def by_codes(primaries: int, transfer: int) -> bytes:
    """Return a PNG whose colours are given by codes of ITU-T H.273."""
    return pngs.png(pngs.blocks(2, 8), 2, 8, before=pngs.chunk(b"cICP", bytes((primaries, transfer, 0, 1))))


def sixteen_bits() -> Image.Image:
    return picture(mode="L").convert("I").point(lambda level: level * 257 + 0).convert("I;16")


HDR = pngs.chunk(b"cICP", bytes([9, 16, 0, 1]))

TRANSPARENT = picture(mode="RGBA")
TRANSPARENT.putalpha(picture(mode="L"))


@pytest.mark.parametrize(
    ("body", "other", "loss"),
    [
        (animation("GIF"), "jpeg", "3 of 4 frames were left out"),
        (animation("WEBP"), "jpeg", "3 of 4 frames were left out"),
        (animation("PNG"), "jpeg", "3 of 4 frames were left out"),
        (encode(picture(), "TIFF", save_all=True, append_images=[picture()]), "webp", "1 of 2 pages were left out"),
        (encode(TRANSPARENT, "PNG"), "jpeg", "transparency was replaced by the background"),
        (encode(TRANSPARENT, "WEBP"), "jpeg", "transparency was replaced by the background"),
        (encode(TRANSPARENT.quantize(16), "PNG"), "jpeg", "transparency was replaced by the background"),
        (encode(sixteen_bits(), "PNG"), "webp", "16 bits a channel were reduced to 8"),
        (encode(sixteen_bits(), "TIFF"), "avif", "16 bits a channel were reduced to 8"),
        (encode(picture(mode="F"), "TIFF"), "png", "32 bits a channel were reduced to 8"),
        (encode(picture(mode="CMYK")), "webp", "CMYK was converted to sRGB"),
        (encode(picture(mode="LAB"), "TIFF"), "jpeg", "LAB was converted to sRGB"),
        (encode(picture(), "PNG", dpi=(100, 200)), "avif", "the resolution of 100 x 200 was left out: AVIF has none"),
        (pngs.png(pngs.blocks(2, 8), 2, 8, before=HDR), "jpeg", "PQ was tone-mapped to SDR"),
        (HDR_JPEG, "webp", "the gain map was left out: it is not written to WEBP"),
        (encode(picture(17000, 4), "PNG"), "webp", "resized was scaled down: WEBP holds 16383 pixels on a side"),
    ],
)
def test_a_variant_that_loses_something_is_not_recommended(body: bytes, other: str, loss: str, tmp_path: Path) -> None:
    text = "renditions = { resized = { scale = 1 } }\n"
    photo = made(body, tmp_path, text, compare=(f"format={other}", "quality=1"))
    current, losing = photo.renditions[0].outputs
    assert (list(current.losses), list(losing.losses)) == ([], [loss])
    (recommendation,) = recommend([photo])
    assert recommendation.chosen != losing.name
    assert f"{losing.name} is ruled out: {loss}." in recommendation.sentences
    report = report_of(photo)
    assert re.search(rf"^a\.jpg .* {re.escape(loss)}$", run.format_text(report), re.MULTILINE)
    assert render_page(report).count(f'<span class="losses">{loss}</span>') == 2


@pytest.mark.parametrize("other", ["jpeg", "webp", "avif", "png"])
def test_an_opaque_alpha_channel_and_a_policy_lose_nothing(other: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    body = encode(picture(mode="RGBA"), "PNG", exif=exif)
    photo = made(body, tmp_path, 'metadata = "none"\n', compare=(f"format={other}",))
    assert [list(output.losses) for output in photo.renditions[0].outputs if output.losses] == []


CREDITED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType='
    b'"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
)
IIM = photoshop.HEADER + photoshop.write({photoshop.IIM: iptc.write([iptc.DataSet((2, 80), b"A. Baker")])})
ARTIST, ORIENTATION = Image.Exif(), Image.Exif()
ARTIST[0x013B] = "A. Baker"
ORIENTATION[0x0112] = 3
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
UNNAMED = SRGB.replace(b"desc", b"none", 1)


@pytest.mark.parametrize(
    ("body", "of_source", "of_output"),
    [
        (encode(picture()), [], []),
        (encode(picture(mode="RGBA"), "PNG"), [], []),
        (encode(picture(), "TIFF"), [], []),
        (encode(picture(), exif=ORIENTATION), [], []),
        (encode(TRANSPARENT, "PNG"), ["transparency"], ["transparency"]),
        (encode(sixteen_bits(), "PNG"), ["16 bits"], ["16 bits"]),
        (encode(picture(mode="F"), "TIFF"), ["32 bits"], ["32 bits"]),
        (encode(picture(mode="CMYK")), ["CMYK"], ["CMYK"]),
        (HDR_JPEG, ["HDR gain map"], ["HDR gain map"]),
        (PQ, ["HDR PQ"], ["RGB by numbers"]),
        (by_codes(9, 18), ["HDR HLG"], ["HDR HLG"]),
        (by_codes(12, 13), ["RGB by numbers"], ["RGB by numbers"]),
        (by_codes(1, 13), [], []),
        (animation("GIF"), ["4 frames"], ["4 frames"]),
        (encode(picture(), "TIFF", save_all=True, append_images=[picture()]), ["2 pages"], ["2 pages"]),
        (encode(picture(), icc_profile=SRGB), ["sRGB built-in"], ["sRGB built-in"]),
        (encode(picture(), icc_profile=UNNAMED), ["colour profile"], ["colour profile"]),
        (encode(picture(), exif=ARTIST), ["EXIF"], ["EXIF"]),
        (encode(picture(), xmp=CREDITED), ["XMP", "digital source type"], ["XMP", "digital source type"]),
        (with_segment(0xED, IIM), ["IPTC"], ["IPTC"]),
        (with_segment(0xEB, APP_11 + STORE), ["Content Credentials"], []),
    ],
)
def test_the_properties_of_a_photo_and_of_its_output_are_named(
    body: bytes, of_source: list[str], of_output: list[str]
) -> None:
    photo = made(body)
    assert (photo.properties, photo.renditions[0].outputs[0].properties) == (of_source, of_output)


def test_the_page_lists_what_is_kept_beside_what_is_lost() -> None:
    html = render_page(report_of(made(encode(TRANSPARENT, "PNG", icc_profile=SRGB), compare=("format=jpeg",))))
    rows = re.findall(r'<tr><th scope="row">([^<]+)<ul class="properties"[^>]*>(.*?)</ul>(.*?)</th>', html)
    names = ["sRGB built-in", "transparency"]
    kept = [(variant, re.findall("<li>(.*?)</li>", items), "losses" in rest) for variant, items, rest in rows]
    assert kept == [(CURRENT, names, False), ("JPEG", names[:1], True)]
    assert '<ul class="properties" aria-label="Properties of a.jpg">' in html


@pytest.mark.parametrize(
    ("body", "loss"),
    [
        (with_segment(0xEB, APP_11 + STORE), "the Content Credentials"),
        (PQ, "PQ was tone-mapped to SDR"),
    ],
)
def test_all_variants_may_lose_the_same(body: bytes, loss: str) -> None:
    (recommendation,) = recommend([made(body, compare=("format=webp,png",))])
    assert recommendation.chosen
    assert all(loss in row.losses and not row.avoidable for row in recommendation.rows)
    assert re.match(f"Every variant loses something: .*{loss}", recommendation.sentences[-1])


def test_a_loss_in_one_photo_rules_a_variant_out_for_all() -> None:
    logo, photo = encode(TRANSPARENT, "PNG"), encode(NOISY)
    photos = [
        made(body, compare=("format=jpeg,webp",), name=name) for name, body in (("a", photo), ("b", logo), ("c", logo))
    ]
    (recommendation,) = recommend(photos)
    assert recommendation.chosen != "JPEG"
    sentence = "JPEG is ruled out: transparency was replaced by the background (b and 1 more)."
    assert sentence in recommendation.sentences


def test_no_variant_is_recommended_if_each_loses_something_else() -> None:
    one = [output(CURRENT, 300, 90, "x is lost: JPEG has none"), output("quality 60", 100, 80)]
    other = [output(CURRENT, 300, 90), output("quality 60", 100, 80, "y is lost")]
    (recommendation,) = recommend([photo_of(*one), photo_of(*other, name="b.jpg")])
    assert recommendation.chosen == ""
    assert recommendation.sentences == [
        "No variant is recommended: each loses something that another one keeps.",
        "Quality 60 is ruled out: y is lost (b.jpg).",
        "The current setting is ruled out: x is lost: JPEG has none (a.jpg).",
    ]


def test_a_loss_that_only_names_another_format_is_the_same_loss() -> None:
    one = [
        output(CURRENT, 300, 90, "x is lost: WEBP has none"),
        output("quality 60", 100, 80, "x is lost: AVIF has none"),
    ]
    (recommendation,) = recommend([photo_of(*one)])
    assert recommendation.chosen == "quality 60"


def test_a_larger_variant_is_recommended_with_the_reason() -> None:
    outputs = [output(CURRENT, 100, 45), output("quality 90", 245, 80)]
    (recommendation,) = recommend([photo_of(*outputs)])
    assert recommendation.sentences[1] == (
        "It takes 2.5 times the bytes of the current setting, which has a score of 45.0, below 70."
    )


def test_the_current_setting_is_kept_if_it_is_the_smallest_acceptable_one() -> None:
    (recommendation,) = recommend([photo_of(output(CURRENT, 300, 70.5), output("quality 60", 100, 45))])
    assert recommendation.chosen == CURRENT
    assert recommendation.sentences[0].startswith("Keep the current setting, JPEG 80: it has the fewest bytes")
    assert len(recommendation.sentences) == 1


def test_without_an_acceptable_variant_the_best_is_named_but_not_chosen() -> None:
    (recommendation,) = recommend([photo_of(output(CURRENT, 300, 69.95), output("quality 60", 100, 45))])
    assert recommendation.chosen == ""
    assert recommendation.sentences[0] == (
        "No variant has a score of 70 in every photo. The best is JPEG 80, current setting, with 69.9 in a.jpg."
    )


def test_a_photo_with_identical_variants_does_not_count() -> None:
    flat = made(encode(picture(), "PNG"), compare=("quality=60,75",), name="a.png")
    lossy = made(encode(NOISY), compare=("quality=60,75",))
    sentence = "All variants of a.png are identical: quality has no effect on PNG."
    for photos in ([flat, lossy], [lossy, flat]):
        (recommendation,) = recommend(photos)
        assert [row.byte_count for row in recommendation.rows] == [row.byte_count for row in recommend([lossy])[0].rows]
        assert recommendation.sentences[-1] == sentence
    (recommendation,) = recommend([flat])
    assert (recommendation.chosen, len(recommendation.rows)) == ("", 1)
    assert recommendation.sentences == [sentence]
    assert len(flat.renditions[0].outputs) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (encode(picture(), "GIF"), "GIF"),
        (encode(picture(), "TIFF", compression="tiff_lzw"), "lossless TIFF"),
        (encode(picture(), "BMP"), "BMP"),
    ],
)
def test_identical_variants_are_shown_once_with_the_reason(body: bytes, kind: str) -> None:
    photo = made(body, compare=("quality=60,75,85",))
    assert [output.name for output in photo.renditions[0].outputs] == [CURRENT]
    (recommendation,) = recommend([photo])
    assert recommendation.sentences == [f"All variants of a.jpg are identical: quality has no effect on {kind}."]


def test_a_format_without_quality_is_one_variant() -> None:
    photo = made(encode(NOISY), compare=("quality=60,75", "format=png,webp"))
    assert [output.name for output in photo.renditions[0].outputs] == [CURRENT, "PNG", "WebP 60", "WebP 75"]


def test_a_variant_with_the_current_settings_bytes_shares_its_row() -> None:
    (recommendation,) = recommend([made(encode(NOISY, quality=95), compare=("quality=70,75",))])
    assert [row.title for row in recommendation.rows] == ["quality 70", "JPEG 75, current setting"]


@pytest.mark.parametrize(
    ("rows", "direction", "compare"),
    [
        ({"quality 60": 80, CURRENT: 90}, "lower", ("quality=40,50",)),
        ({"quality 15": 80, CURRENT: 90}, "lower", ("quality=5",)),
        ({"quality 60": 65, CURRENT: 69.5}, "higher", ("quality=85,90",)),
        ({"quality 95": 69.5, CURRENT: 65}, "higher", ("quality=100",)),
    ],
)
def test_the_qualities_to_try_next_are_beyond_the_last(
    rows: dict[str, float], direction: str, compare: tuple[str, ...]
) -> None:
    (recommendation,) = recommend(
        [photo_of(*(output(name, 100 + i, score) for i, (name, score) in enumerate(rows.items())))]
    )
    further = recommendation.further
    assert further
    assert (further.direction, further.compare) == (direction, compare)
    report = Report("t", "o", [], [], [], command=["invoke", "preview", "a b.jpg"])
    assert write_command(report, further) == f"invoke preview 'a b.jpg' --compare {compare[0]}"


@pytest.mark.parametrize(
    "rows",
    [
        {"quality 60": 65, "quality 75": 75, CURRENT: 90},
        {"quality 1": 80, CURRENT: 90},
        {"quality 100": 69.5, CURRENT: 65},
    ],
)
def test_nothing_is_tried_next_if_it_cannot_be_better(rows: dict[str, float]) -> None:
    photo = photo_of(*(output(name, 100 + i, score) for i, (name, score) in enumerate(rows.items())))
    assert recommend([photo])[0].further is None


def test_a_larger_variant_without_quality_does_not_end_the_search(tmp_path: Path) -> None:
    low = "renditions = { low = { scale = 0.5, quality = 5 } }\n"
    photo = made(encode(NOISY, quality=95), tmp_path, low, compare=("quality=1,2", "format=png"))
    (recommendation,) = recommend([photo])
    further = recommendation.further
    assert further
    assert (recommendation.chosen, further.direction, further.compare) == ("PNG", "higher", ("quality=10,15",))


def test_the_qualities_to_try_next_are_of_the_chosen_format() -> None:
    photo = made(encode(picture(), quality=95), compare=("quality=75,90", "format=webp"))
    further = recommend([photo])[0].further
    assert further
    assert (further.direction, further.compare) == ("lower", ("quality=55,65", "format=webp"))


def test_without_a_comparison_there_is_no_recommendation() -> None:
    assert recommend([photo_of(output(CURRENT, 300, 90))]) == []
    assert recommend([]) == []


# --- the settings to write


SETTINGS = """
# Ours.
renditions = {
  "2x"  = { scale = 0.5, fit = null, key = "x/{dir}{name}", cache_control = "a \\"b\\" $${c} %%{d} \\\\" }
  tile  = { width = 32, height = 32, key = "t/{dir}{name}", quality = 90 }
}
max_pixels = 1000000
"""


@pytest.mark.parametrize(
    "compare", [["quality=60"], ["format=webp"], ["quality=85", "format=webp"], ["ssimulacra2=75"]]
)
@pytest.mark.parametrize("name", ["x.tfvars", "x.tfvars.json", ""])
def test_the_settings_to_write_change_only_the_chosen_options(tmp_path: Path, name: str, compare: list[str]) -> None:
    body = Image.blend(picture(), NOISY, 0.1)
    (tmp_path / "a.jpg").write_bytes(encode(body, quality=95))
    path = var_file(tmp_path, SETTINGS, "x.tfvars")
    if name.endswith(".json"):
        _, renditions = tfvars.read_renditions([path])
        path = var_file(tmp_path, json.dumps({"renditions": renditions}), name)
    report = run.preview(
        [tmp_path / "a.jpg"], tmp_path / "preview.html", var_file=path if name else None, compare=compare
    )
    recommendations = recommend(report.photos)
    text = write_settings(report, recommendations)
    assert report.settings_file == (str(path) if name else "terraform/terraform.tfvars")
    wanted = (
        f"replace `renditions` in {path} by:" if name else "set in terraform/terraform.tfvars or your module block:"
    )
    assert introduce_settings(report) == f"To choose this, {wanted}"
    assert text in run.format_text(report)
    assert escape(text) in render_page(report)
    written = var_file(tmp_path, f"{{{text}}}" if name.endswith(".json") else text, f"new-{name or 'x.tfvars'}")
    before = {one.name: one for one in tfvars.read_settings([path] if name else []).renditions}
    after = {one.name: one for one in tfvars.read_settings([written]).renditions}
    assert after == {
        one.rendition: Comparison.parse(compare).variants(before[one.rendition])[one.chosen] for one in recommendations
    }
    assert before != after


def test_a_set_is_written_as_its_members_only_if_one_of_them_changes(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(Image.blend(picture(), NOISY, 0.1), quality=95))
    sets = """
      lossy    = { widths = [40, 50], formats = ["webp"] }
      lossless = { widths = [40, 50], formats = ["png"] }
    """
    path = var_file(tmp_path, f"renditions = {{ {sets} }}\n")
    report = run.preview([tmp_path / "a.jpg"], tmp_path / "preview.html", var_file=path, compare=["quality=60"])
    assert [one.name for one in report.photos[0].renditions] == [
        *("lossless-40-png", "lossless-50-png", "lossy-40-webp", "lossy-50-webp"),
    ]
    assert write_settings(report, recommend(report.photos)).splitlines() == [
        "renditions = {",
        '  lossy-40-webp = { width = 40, format = "webp", quality = 60 }',
        '  lossy-50-webp = { width = 50, format = "webp", quality = 60 }',
        '  lossless      = { widths = [40, 50], formats = ["png"] }',
        "}",
    ]


def test_one_rendition_is_one_line_that_terraform_accepts(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(Image.blend(picture(), NOISY, 0.1), quality=95))
    report = run.preview([tmp_path / "a.jpg"], tmp_path / "preview.html", compare=["quality=60"])
    assert write_settings(report, recommend(report.photos)) == (
        "renditions = { resized = { scale = 0.5, quality = 60 } }"
    )


def test_nothing_is_to_be_written_if_the_current_setting_is_kept() -> None:
    report = make_report("a.jpg")
    kept = [photo_of(output(CURRENT, 300, 70.5), output("quality 60", 100, 45))]
    assert write_settings(report, recommend(kept)) == ""
    assert 'class="copyable"' not in render_page(replace(report, photos=kept))


@pytest.mark.parametrize(
    ("names", "introduction", "words"),
    [
        (["a b.jpg", "c.jpg", "d.jpg"], "Try lower:", "'my env/bin/invoke' preview 'a b.jpg' c.jpg d.jpg --var-file"),
        (["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "Try lower with the same photos:", "--var-file"),
        (["a\x1b[31m.jpg"], "Try lower with the same photos:", "--var-file"),
        (["--help"], "Try lower with the same photos:", "--var-file"),
    ],
)
def test_the_next_command_names_photos_if_it_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], introduction: str, words: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["my env/bin/invoke"])
    monkeypatch.chdir(tmp_path)
    photos = list(map(Path, names))
    for photo in photos:
        photo.write_bytes(encode(picture(64, 48)))
    var_file(tmp_path, 'metadata = "none"\n')
    report = run.preview(photos, tmp_path / "preview.html", var_file=Path("x.tfvars"), compare=["quality=60"])
    command = f"{words} x.tfvars --compare quality=40,50"
    sentence = f"Quality 60 is the lowest that was tried. {introduction}"
    assert f"\n{sentence}\n{command}\n" in run.format_text(report) + "\n"
    page = render_page(report)
    assert sentence in page
    assert f"<code>{escape(command)}</code>" in page


# --- the page


class Elements(HTMLParser):
    """Collects every element with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def report_of(*photos: Photo) -> Report:
    return Report("t", "o", [], photos, [], renditions=tfvars.DEFAULTS["renditions"])


def make_report(*names: str) -> Report:
    outputs = [output(CURRENT, 300, 90), output("quality 60", 100, 80)]
    photos = [photo_of(*outputs, name=name) for name in names]
    rejected = [Rejection(HOSTILE, 5, "not_an_image", f"it is no image: {HOSTILE}", "Nothing.")]
    return replace(report_of(*photos), title=HOSTILE, origin=HOSTILE, how=[HOSTILE], rejections=rejected)


def test_names_are_escaped_everywhere() -> None:
    plain, hostile = Elements(render_page(make_report("plain.jpg"))), Elements(render_page(make_report(HOSTILE)))
    assert [tag for tag, _ in plain.found] == [tag for tag, _ in hostile.found]
    assert [set(attributes) for _, attributes in plain.found] == [set(attributes) for _, attributes in hostile.found]
    assert len(hostile.all("script")) == 1
    alternatives = [image["alt"] for image in hostile.all("img")]
    assert f"{HOSTILE}, scaled to 4 × 3 pixels" in alternatives  # noqa: RUF001
    assert (
        "49"
        not in render_page(make_report(HOSTILE)).replace(HOSTILE, "").partition("<body>")[2].partition("<script>")[0]
    )


def test_the_page_loads_nothing() -> None:
    html = render_page(make_report("a.jpg", "b.jpg"))
    elements = Elements(html)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    loading = {"src", "href", "srcset", "action", "data", "poster"}
    loaded = [value for _, given in elements.found for name, value in given.items() if name in loading]
    # The icon, the images, and a link from each variant to its worst photo.
    assert len(loaded) == 1 + 2 * 3 + 2
    assert all(value.startswith(("data:", "#image-")) for value in loaded)
    assert not any(name.startswith("on") or name == "style" for _, given in elements.found for name in given)


def test_the_policy_allows_only_our_style_and_script() -> None:
    html = render_page(make_report("a.jpg"))
    (policy,) = [meta["content"] for meta in Elements(html).all("meta") if "http-equiv" in meta]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_each_image_is_on_the_page_once_with_a_description() -> None:
    photo = made(encode(NOISY), compare=("quality=50",))
    html = render_page(report_of(photo))
    shown = [image for image in Elements(html).all("img") if "src" in image]
    (rendered,) = photo.renditions
    wanted = [rendered.source, *(one.picture for one in rendered.outputs)]
    assert [base64.b64decode(image["src"].partition(",")[2]) for image in shown] == [one.body for one in wanted]
    assert all(image["alt"] for image in shown)


def test_ids_are_unique_and_references_resolve() -> None:
    elements = Elements(render_page(make_report("a.jpg", "a.jpg")))
    names = Counter(given["id"] for _, given in elements.found if "id" in given)
    assert set(names.values()) == {1}
    assert {given["aria-labelledby"] for _, given in elements.found if "aria-labelledby" in given} <= names.keys()


def test_a_page_is_deterministic() -> None:
    assert render_page(make_report("a.jpg")) == render_page(make_report("a.jpg"))


def test_the_page_has_the_recommendation_and_shows_it_first() -> None:
    html = render_page(make_report("a.jpg"))
    assert "Choose quality 60: it has the fewest bytes" in html
    assert "The recommended variant has the fewest bytes among the others with a score of at least 70" in html
    assert [given["data-right"] for _, given in Elements(html).found if "data-right" in given] == ["2"]


def test_the_page_of_a_pipeline_has_losses_and_no_price(tmp_path: Path) -> None:
    source = encode(TRANSPARENT, "PNG")
    rendition = Rendition("resized", scale=0.5, format="jpeg")
    (made_output,) = render(source, [rendition], limits=Limits(1769 << 20)).outputs
    written = Written("a.png", source, made_output.body, made_output.lost, [Step("uploaded", 0)])
    html = render_page(pipeline.make_report([written], [], rendition, "o", tmp_path / "report.html"))
    losses = "transparency was replaced by the background"
    assert f'<span class="losses">{losses}</span>' in html
    assert not re.search(r"US\$|A million|CPU, ms|Score</th>", html)


def test_the_page_has_the_timeline_if_there_is_one() -> None:
    (photo,) = make_report("a.jpg").photos
    steps = [Step("uploaded", 0), Step("written", 1234)]
    timed_photo = Photo(photo.name, "JPEG", 8, 6, 1000, photo.renditions, photo.cost, steps=steps)
    html = render_page(report_of(timed_photo))
    assert re.search(r"<span>written</span> <b>1,234&nbsp;ms</b>", html)
    assert 'class="steps"' not in render_page(make_report("a.jpg"))


# --- the task


def test_the_text_explains_why_a_searched_quality_misses_its_score(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    for compare, is_explained in ((["ssimulacra2=70"], True), (["quality=60"], False)):
        found = run.preview([tmp_path / "a.jpg"], tmp_path / "preview.html", compare=compare)
        assert (f"\n{run.SEARCHED}\n" in run.format_text(found)) == is_explained


def test_a_preview_renders_files(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    (tmp_path / "b.txt").write_text("text")
    found = run.preview([tmp_path / "a.jpg", tmp_path / "b.txt"], tmp_path / "preview.html", compare=["quality=60"])
    text = run.format_text(found)
    assert re.search(
        r"^a\.jpg +resized +quality 60 +JPEG +60 +160 x 120 +[\d,]+ +\d+\.\d +\d+ +\d+\.\d$", text, re.MULTILINE
    )
    assert "\nb.txt is rejected: not_an_image: the content is not a JPEG" in text
    assert not found.hint
    save(render_page(found), tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text() == render_page(found)


def test_undecodable_bytes_of_a_name_are_replaced(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.jpg"))
    odd.write_bytes(encode(picture()))
    found = run.preview([odd], tmp_path / "page.html")
    save(render_page(found), tmp_path / "page.html")
    assert found.photos[0].name == "a\ufffd.jpg"
    assert "a\ufffd.jpg" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_without_a_comparison_the_page_suggests_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    assert "--compare quality=60,75,85" in render_page(run.preview([tmp_path / "a.jpg"], tmp_path / "page.html"))


def test_an_unreadable_photo_stops_the_preview_before_rendering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "render_photo", None)
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    for wrong, message in (
        (tmp_path, rf"Is a directory: give its files, as in {tmp_path}/\*"),
        (tmp_path / "b.jpg", "No such file or directory"),
    ):
        with pytest.raises(ToolError, match=rf"^Cannot read .*: {message}$"):
            run.preview([tmp_path / "a.jpg", wrong], tmp_path / "page.html")
    with pytest.raises(ToolError, match=r"^No photo given: use `invoke preview photo\.jpg`$"):
        run.preview([], tmp_path / "page.html")


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_IMAGES", 5)


@pytest.mark.usefixtures("few_images")
def test_many_photos_get_pages_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    (tmp_path / "b.jpg").write_bytes(encode(NOISY.rotate(90)))
    folder = tmp_path / "of 2-files"
    folder.mkdir()
    save(render_page(make_report("earlier.jpg")), folder / "photo-003.html")
    (folder / "mine.txt").touch()
    found = run.preview([tmp_path / "a.jpg", tmp_path / "b.jpg"], tmp_path / "of 2.html", compare=["quality=20"])
    # No page of an earlier run remains, and no other file is lost.
    assert {path.name for path in folder.iterdir()} == {"photo-001.html", "photo-002.html", "mine.txt"}
    images = [
        picture.body + picture.original
        for photo in found.photos
        for rendered in photo.renditions
        for picture in (rendered.source, *(output.picture for output in rendered.outputs))
    ]
    assert images == [b""] * 6

    index = Elements(render_page(found))
    assert len(index.all("img")) == 2
    links = [given["href"] for given in index.all("a")]
    # Each variant has a link to its worst photo, each photo one to its recommended output.
    assert all(re.fullmatch(r"of%202-files/photo-00[12]\.html#image-1-1-[12]", link) for link in links)
    assert len(links) == 2 + 2
    for link in links:
        path, _, anchor = unquote(link).partition("#")
        text = (tmp_path / path).read_text()
        page = Elements(text)
        assert [given["href"] for given in page.all("a")] == ["../of%202.html"]
        assert anchor in {given.get("id") for _, given in page.found}
        assert len([image for image in page.all("img") if "src" in image]) == 3
        assert "Recommendation" not in text

    heading, _, *rows, sentences = run.format_text(found).partition("\n\n")[0].splitlines()
    assert heading == "Preview of 2 photos"
    assert [row.split()[0] for row in rows] == ["resized", "resized"]
    assert sentences.startswith("resized: ")


@pytest.mark.usefixtures("few_images")
def test_an_index_sums_up_a_single_variant(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(NOISY))
    found = run.preview([tmp_path / "a.jpg"] * 3, tmp_path / "page.html")
    total = 3 * found.photos[0].renditions[0].outputs[0].byte_count
    assert ">Summary</h2>" in render_page(found)
    assert f"  {total:,}  " in run.format_text(found)


@pytest.mark.usefixtures("few_images")
def test_black_is_visible_in_a_transparent_thumbnail(tmp_path: Path) -> None:
    black = Image.new("RGBA", (60, 40))
    black.paste("#000", (0, 0, 30, 40))
    (tmp_path / "a.png").write_bytes(encode(black, "PNG"))
    found = run.preview([tmp_path / "a.png"] * 3, tmp_path / "page.html")
    assert found.photos[0].thumbnail
    colours = load(found.photos[0].thumbnail.body).convert("L")
    drawn, background = colours.crop((2, 2, 10, 18)).getextrema(), colours.crop((20, 2, 28, 18)).getextrema()
    assert drawn == pytest.approx((0, 0), abs=5)
    assert background == pytest.approx((117, 117), abs=5)


@pytest.mark.usefixtures("few_images")
def test_an_index_of_uploads_needs_no_figures(tmp_path: Path) -> None:
    body = encode(NOISY)
    written = [Written(f"{name}.jpg", body, body, (), [Step("uploaded", 0)]) for name in "abc"]
    report = pipeline.make_report(written, [], Rendition("resized", scale=1), "origin", tmp_path / "report.html")
    assert "report-files/photo-003.html#image-1-1-1" in render_page(report)
    assert "Lowest score" not in render_page(report)
    assert "<span>uploaded</span>" in (tmp_path / "report-files" / "photo-003.html").read_text()


def test_a_terminal_shows_the_progress_and_a_pipe_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(picture()))
    run.preview([tmp_path / "a.jpg"] * 2, tmp_path / "page.html")
    assert capsys.readouterr() == ("", "")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    run.preview([tmp_path / "a.jpg"] * 2, tmp_path / "page.html")
    assert "2 of 2" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("output", ["a.jpg", "link.jpg", "x.tfvars", "notes.html", "page-files/photo-1.html"])
def test_a_preview_overwrites_no_file_but_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    photo, settings = tmp_path / "a.jpg", var_file(tmp_path, 'metadata = "none"\n')
    photo.write_bytes(encode(picture(64, 48)))
    (tmp_path / "link.jpg").hardlink_to(photo)
    (tmp_path / "page-files").mkdir()
    for name in ("notes.html", "page-files/photo-1.html"):
        (tmp_path / name).write_text("<!doctype html>\n<title>mine</title>\n")
    wanted = tmp_path / ("page.html" if "/" in output else output)
    monkeypatch.setattr(run, "render_photo", None)
    reason = "is one of the inputs" if output in {"a.jpg", "link.jpg", "x.tfvars"} else "exists and is not a page"
    with pytest.raises(ToolError, match=rf"^Cannot write .*{output}: it {reason}.*: choose another --output"):
        run.preview([photo], wanted, var_file=settings)


def test_a_preview_overwrites_an_earlier_page(tmp_path: Path) -> None:
    photo, page = tmp_path / "a.jpg", tmp_path / "page.html"
    photo.write_bytes(encode(picture(64, 48)))
    save(render_page(run.preview([photo], page)), page)
    assert run.preview([photo], page).photos


def test_a_full_disk_leaves_the_earlier_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save("the earlier page", tmp_path / "page.html")
    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(ToolError, match=r"^Cannot write .*page\.html: No space left on device: free some space$"):
        save("the later page", tmp_path / "page.html")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "the earlier page")]


def test_saving_through_a_symbolic_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    save("a page", tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text() == "a page"


def test_an_unwritable_page_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"^Cannot write .*: Is a directory: choose another --output$"):
        save("", tmp_path)
