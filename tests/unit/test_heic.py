"""HEIC becomes JPEG if the function was built with its decoder; otherwise the rejection advises how to build it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from errors import Reason
from tests.images import HEIC_PICTURE
from tests.unit.rendering import rejection
from tools.build import Target, build
from tools.build.archive import unpack
from tools.common.paths import ROOT
from tools.preview import run

RENDER = """
import io, json, sys
sys.path.insert(0, sys.argv[1])
from PIL import Image
from errors import RejectedError
from imaging.render import render
from renditions import Rendition
from imaging.limits import Limits

body = sys.stdin.buffer.read()
try:
    (output,) = render(body, [Rendition("resized", scale=0.5)], limits=Limits(1 << 30)).outputs
except RejectedError as rejection:
    print(json.dumps([rejection.reason]))
else:
    image = Image.open(io.BytesIO(output.body)).convert("RGB")
    corners = [image.getpixel((x, y)) for x, y in ((2, 2), (29, 2), (29, 21), (2, 21))]
    print(json.dumps([output.content_type, image.size, [[round(level / 127.5) for level in c] for c in corners]]))
"""


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0mif1heic", b"heix\0\0\0\0mif1heix"])
def test_without_the_decoder_heic_is_rejected_with_advice(brands: bytes) -> None:
    source = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(100)
    error = rejection(source)
    assert error.reason is Reason.HEIC_NOT_BUILT_IN
    assert "run `invoke build --heic` and `terraform apply`" in str(error)


@pytest.mark.parametrize("brands", [b"avif\0\0\0\0mif1avif", b"mp42\0\0\0\0isommp42"])
def test_other_containers_get_no_advice_about_heic(brands: bytes) -> None:
    source = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(100)
    assert rejection(source).reason is not Reason.HEIC_NOT_BUILT_IN


@pytest.mark.network
def test_with_the_decoder_heic_becomes_jpeg(tmp_path: Path) -> None:
    package = build(Target.of_this_machine(), tmp_path / "dist", for_aws=False, extras=["heic"])
    assert set(package.packages) == {"pillow", "pillow_heif"}
    unpack(package.path, tmp_path / "unpacked")

    def answer(body: bytes) -> object:
        command = [sys.executable, "-I", "-S", "-c", RENDER, str(tmp_path / "unpacked")]
        return json.loads(subprocess.run(command, input=body, capture_output=True, check=True).stdout)

    body = HEIC_PICTURE.read_bytes()
    assert answer(body) == ["image/jpeg", [32, 24], [[2, 0, 0], [0, 2, 0], [2, 2, 2], [0, 0, 2]]]
    assert answer(body[:-20]) == ["corrupt"]


@pytest.mark.network
def test_the_decoder_is_built_for_the_target(tmp_path: Path) -> None:
    assert build(Target("3.13", "arm64"), tmp_path, extras=["heic"]).architecture == "arm64"


@pytest.mark.network
def test_a_preview_with_heic_shows_the_photo(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command = ["invoke", "preview", str(HEIC_PICTURE), "--heic", "--compare", "quality=60", "--output", str(page)]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.search(r"^picture\.heic +resized +current setting +JPEG ", done.stdout, re.MULTILINE), done.stderr
    assert "HEIC, 64 × 48 pixels" in page.read_text()  # noqa: RUF001 - the page has this sign
    assert "Rejected" not in page.read_text()
    # The command to try next.
    assert f"invoke preview {HEIC_PICTURE} --heic " in done.stdout


def test_without_the_option_a_preview_names_it(tmp_path: Path) -> None:
    text = run.format_text(run.preview([HEIC_PICTURE], tmp_path / "preview.html"))
    assert text.endswith("\nTo preview HEIC, run again with --heic.")


REPORT = """
import sys, tasks
from pathlib import Path
tasks.read_heic()
from tools.local.demo import Result, make_report
from tools.preview.page import render_page
from tools.imaging.pictures import Upload
from tests.images import HEIC_PICTURE, encode, picture
result = Result(Upload("phone.heic", HEIC_PICTURE.read_bytes()), encode(picture(32, 24)))
print(render_page(make_report([result], Path("report.html"))))
"""


@pytest.mark.network
def test_the_demo_s_report_shows_a_heic_upload_beside_its_output() -> None:
    done = subprocess.run([sys.executable, "-c", REPORT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "HEIC, 64 × 48 pixels" in done.stdout, done.stderr  # noqa: RUF001 - the page has this sign
    assert "Rejected" not in done.stdout
