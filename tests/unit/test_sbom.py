"""A zip's bill of materials: valid, with exactly the zip's contents, and the same bytes every time."""

import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.build import Package, Target, build, sbom, wheels
from tools.build.wheels import Wheel
from tools.common.paths import ROOT
from tools.dev.lock import LOCKS

ORIGIN = sbom.Origin("1.0.0", "0123456789abcdef0123456789abcdef01234567", datetime(2026, 1, 31, tzinfo=UTC))

MODULES = {"avif", "imaging", "imagingcms", "imagingmath", "webp"}
"""Pillow's compiled modules that the function loads."""

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(Target(), tmp_path_factory.mktemp("build"), extras=["heic", "c2pa"])


@pytest.fixture(scope="module")
def chosen() -> dict[str, Wheel]:
    return wheels.resolve(Target(), LOCKS["heic"]) | wheels.resolve(Target(), LOCKS["c2pa"])


@pytest.fixture(scope="module")
def text(package: Package, chosen: dict[str, Wheel]) -> str:
    return sbom.make_sbom(package, ORIGIN, chosen)


@pytest.fixture(scope="module")
def packages(text: str) -> dict[str, dict[str, Any]]:
    """The packages, by name."""
    return {one["name"]: one for one in json.loads(text)["components"]}


def select_parts(package: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in package["components"] if one["type"] == kind}


def test_an_sbom_is_valid(text: str) -> None:
    assert json.loads(text)["specVersion"] == "1.6"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_commit_gives_the_time_and_the_zip_the_serial_number(
    package: Package, chosen: dict[str, Wheel], text: str
) -> None:
    assert json.loads(text)["metadata"]["timestamp"] == "2026-01-31T00:00:00+00:00"
    other = sbom.make_sbom(package, sbom.Origin("1.0.0", "f" * 40, ORIGIN.time), chosen)
    assert json.loads(other)["serialNumber"] != json.loads(text)["serialNumber"]


def test_each_package_is_the_locked_wheel(packages: dict[str, dict[str, Any]], package: Package) -> None:
    lock = LOCKS["heic"].read_text() + LOCKS["c2pa"].read_text()
    assert {name: one["version"] for name, one in packages.items()} == package.packages
    for name, one in packages.items():
        (digest,) = one["hashes"]
        assert f"--hash=sha256:{digest['content']}" in lock
        assert one["purl"].startswith(
            f"pkg:pypi/{name.replace('_', '-')}@{one['version']}?file_name={name.replace('-', '_')}-"
        )
        assert one["purl"].endswith("_aarch64.whl")
    assert {name: one["licenses"] for name, one in packages.items()} == {
        "pillow": [{"license": {"id": "MIT-CMU"}}],
        "pillow_heif": [{"license": {"id": "BSD-3-Clause"}}],
        "c2pa-python": [{"expression": "MIT OR Apache-2.0"}],
    }


def test_every_shared_library_is_listed_with_its_hash(packages: dict[str, dict[str, Any]], package: Package) -> None:
    with zipfile.ZipFile(package.path) as archive:
        there = {name for name in archive.namelist() if re.search(r"\.libs/|^c2pa/libs/", name)}
    listed = {name: one for package in packages.values() for name, one in select_parts(package, "file").items()}
    assert listed.keys() == there
    assert all(re.fullmatch("[0-9a-f]{64}", one["hashes"][0]["content"]) for one in listed.values())


def test_pillow_s_components_in_the_zip_are_listed(packages: dict[str, dict[str, Any]]) -> None:
    listed = select_parts(packages["pillow"], "library")
    assert {name for name in listed if name.startswith("PIL.")} == {f"PIL._{name}" for name in MODULES}
    assert listed.keys() >= {"libavif", "libtiff", "libwebp", "libxcb", "libXau", "Little CMS 2", "OpenJPEG", "zlib"}
    assert listed["libavif"]["version"]
    assert listed["libtiff"]["licenses"] == [{"license": {"id": "libtiff"}}]
    assert not [name for name, one in listed.items() if "scope" in one]


def test_components_that_are_not_in_the_zip_are_not_listed(text: str) -> None:
    assert not re.search(r"_imagingft|freetype|harfbuzz|raqm|fribidi|libimagequant|pybind11", text, re.IGNORECASE)


def test_pillow_heif_s_libraries_are_listed_with_licences(packages: dict[str, dict[str, Any]]) -> None:
    listed = select_parts(packages["pillow_heif"], "library")
    assert {name: one["licenses"][0]["license"]["name"] for name, one in listed.items()} == {
        "libde265": "LGPLv3",
        "libheif": "LGPLv3",
        "x265": "GPLv2",
    }
    assert re.fullmatch(r"[\d.]+", listed["x265"]["version"])


def test_dependencies_lead_from_the_function_to_every_library(text: str) -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in json.loads(text)["dependencies"]}
    reached, ahead = set(), ["image-resize@1.0.0"]
    while ahead:
        ref = ahead.pop()
        reached.add(ref)
        ahead += set(needs[ref]) - reached
    assert {"pkg:generic/libwebp", "pkg:generic/littlecms2", "pkg:generic/openjpeg"} <= reached
    assert "pillow.libs" in str(reached)
    assert {"libheif", "libde265", "x265"} <= {ref.rpartition("/")[2] for ref in reached}


def test_another_process_makes_the_same_bytes(package: Package, chosen: dict[str, Wheel], text: str) -> None:
    script = f"""
import datetime, sys
from pathlib import PosixPath
from tools.build import sbom
from tools.build import Package
from tools.build.wheels import Wheel
origin = sbom.Origin("1.0.0", {ORIGIN.commit!r}, datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC))
sys.stdout.write(sbom.make_sbom({package!r}, origin, {chosen!r}))
"""
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.stdout == text
