"""The build: what is in the zip, that it is the same bytes everywhere, and what is refused."""

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.build import Target, build
from tools.errors import ToolError
from tools.paths import FUNCTION, ROOT

HERE = Target.of_this_machine()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(HERE, tmp_path_factory.mktemp("build"), for_aws=False).path


def test_the_zip_holds_the_function_pillow_and_its_licence(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    assert {path.name for path in FUNCTION.glob("*.py")} <= names
    assert "PIL/Image.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(
        name.startswith("bin/") or name.endswith(("/", "RECORD", "INSTALLER", "REQUESTED")) for name in names
    )
    assert not any("boto" in name for name in names)


def test_every_entry_is_plain_sorted_and_dateless(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(
        (entry.filename for entry in entries), key=lambda name: Path(name).parts
    )
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}


def test_byte_code_is_unchecked_and_shows_lambdas_paths(built: Path) -> None:
    with zipfile.ZipFile(built) as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("__pycache__/render.")]
        code = archive.read(name)
    assert code[4:8] == bytes([1, 0, 0, 0])  # PEP 552: by hash, not checked
    assert b"/var/task/render.py" in code


def test_the_manifest_describes_the_zip(built: Path) -> None:
    manifest = json.loads(built.with_suffix(".json").read_text())
    body = built.read_bytes()
    assert manifest["runtime"] == f"python{HERE.python}"
    assert manifest["architecture"] == HERE.architecture
    assert manifest["handler"] == "lambda_function.lambda_handler"
    assert manifest["sha256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert manifest["size"] == len(body)
    assert manifest["packages"] == {"pillow": "13.0.0"}


def test_two_folders_umasks_and_time_zones_give_the_same_bytes(tmp_path: Path) -> None:
    script = "import os, sys; os.umask(int(sys.argv[1], 8)); sys.path.insert(0, '.'); from pathlib import Path; "
    script += "from tools.build import Target, build; build(Target.of_this_machine(), Path(sys.argv[2]), for_aws=False)"
    results = []
    for name, umask, zone in (("one", "022", "UTC"), ("another/deeper", "077", "Asia/Tokyo")):
        clone = tmp_path / name
        for part in ("function", "tools"):
            shutil.copytree(ROOT / part, clone / part, ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(
            [sys.executable, "-c", script, umask, "dist"], cwd=clone, env=os.environ | {"TZ": zone}, check=True
        )
        results.append([(clone / "dist" / file).read_bytes() for file in ("function.zip", "function.json")])
    assert results[0] == results[1]


def test_a_changed_function_changes_the_contents_digest(built: Path, tmp_path: Path) -> None:
    source = shutil.copytree(FUNCTION, tmp_path / "function")
    (source / "events.py").write_text((source / "events.py").read_text() + "# changed\n")
    changed = build(HERE, tmp_path / "dist", for_aws=False, source=source).path
    digests = [json.loads(path.with_suffix(".json").read_text())["contents_sha256"] for path in (built, changed)]
    assert digests[0] != digests[1]


@pytest.mark.parametrize(("python", "architecture", "machine"), [("3.12", "x86_64", 62), ("3.13", "arm64", 183)])
def test_any_target_is_built_on_any_machine(tmp_path: Path, python: str, architecture: str, machine: int) -> None:
    package = build(Target(python, architecture), tmp_path)
    with zipfile.ZipFile(package.path) as archive:
        (core,) = [name for name in archive.namelist() if name.startswith("PIL/_imaging.")]
        assert f"cpython-{python.replace('.', '')}" in core
        assert int.from_bytes(archive.read(core)[18:20], "little") == machine


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target("3.11"), r"only on Python 3\.12 and 3\.13, not 3\.11"),
        (Target("3.14"), r"only on Python 3\.12 and 3\.13, not 3\.14"),
        (Target("3.13", "mips"), "No architecture mips: use arm64 or x86_64"),
    ],
)
def test_what_aws_cannot_run_is_refused(tmp_path: Path, target: Target, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        build(target, tmp_path)


def test_a_wheel_for_the_wrong_platform_is_refused(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_: Target, __: Path, tree: Path) -> None:
        with zipfile.ZipFile(built) as archive:
            archive.extractall(tree)

    monkeypatch.setattr("tools.build._install", wrong)
    other = Target(HERE.python, "arm64" if HERE.architecture == "x86_64" else "x86_64")
    with pytest.raises(ToolError, match=f"is not for {other.architecture}"):
        build(other, tmp_path, for_aws=False)
    monkeypatch.setattr("tools.build._compile", lambda *_: None)
    with pytest.raises(ToolError, match="is not for Python"):
        build(Target("3.12" if HERE.python != "3.12" else "3.13", HERE.architecture), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_function_that_does_not_work_is_not_built_and_the_earlier_one_stays(built: Path, tmp_path: Path) -> None:
    for file in (built, built.with_suffix(".json")):
        shutil.copy(file, tmp_path)
    source = shutil.copytree(FUNCTION, tmp_path / "source")
    (source / "render.py").write_text("import no_such_module\n")
    with pytest.raises(ToolError, match="does not work: ModuleNotFoundError: No module named 'no_such_module'"):
        build(HERE, tmp_path, for_aws=False, source=source)
    assert (tmp_path / "function.zip").read_bytes() == built.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["function.json", "function.zip", "source"]


def test_no_wheel_is_one_line(tmp_path: Path) -> None:
    source = shutil.copytree(FUNCTION, tmp_path / "source")
    (source / "requirements.txt").write_text("pillow==13.0.0 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(ToolError, match=rf"^No wheels for Python {HERE.python} on {HERE.architecture}: .*$"):
        build(HERE, tmp_path / "dist", for_aws=False, source=source)


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("")
    with pytest.raises(ToolError, match=r"^Cannot write to .*dist: File exists$"):
        build(HERE, tmp_path / "dist", for_aws=False)
