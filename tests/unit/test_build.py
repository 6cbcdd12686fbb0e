"""The build: the zip's contents, the same bytes on every machine, and errors."""

import base64
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from tools.build import Package, Target, build, interpreter, wheels
from tools.build.archive import contents_digest, unpack
from tools.common.errors import ToolError
from tools.common.paths import FUNCTION, ROOT

HERE = Target.of_this_machine()
NOT_HERE = Target("3.12" if HERE.python != "3.12" else "3.13", HERE.architecture)
E_MACHINE = {"x86_64": 0x3E, "arm64": 0xB7}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(HERE, tmp_path_factory.mktemp("build"), for_aws=False)


def entries(package: Package) -> dict[str, bytes]:
    with zipfile.ZipFile(package.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def elf(architecture: str, *needed: str) -> bytes:
    """Return a shared library that needs others: a header, two segments, the dynamic section and its strings."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    at = 64 + 2 * 56
    size = 16 * (len(needed) + 2)
    offsets = [strings.index(b"\0" + name.encode() + b"\0") + 1 for name in needed]
    dynamic = b"".join(struct.pack("<QQ", 1, offset) for offset in offsets)
    dynamic += struct.pack("<QQQQ", 5, 0x1000 + at + size, 0, 0)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, E_MACHINE[architecture], 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    length = at + size + len(strings)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0x1000, length, length, 4096)
    pointer = struct.pack("<IIQQQQQQ", 2, 4, at, 0x1000 + at, 0x1000 + at, size, size, 8)
    return header + load + pointer + dynamic + strings


def function_with(folder: Path, files: dict[str, bytes], tags: tuple[str, ...] = ("py3-none-any",)) -> Path:
    """Create a function without modules that requires one local wheel with ``files``."""
    folder.mkdir()
    wheel = folder / "odd-1.0-py3-none-any.whl"
    metadata = {
        "METADATA": "Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n" + "".join(f"Tag: {tag}\n" for tag in tags),
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
        for name, text in metadata.items():
            archive.writestr(f"odd-1.0.dist-info/{name}", text)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"--find-links {folder}\nodd==1.0 --hash=sha256:{digest}\n")
    return folder


@pytest.mark.network
def test_the_zip_has_the_function_and_pillow_with_its_licence(package: Package) -> None:
    names = set(entries(package))
    assert {path.relative_to(FUNCTION).as_posix() for path in FUNCTION.rglob("*.py")} <= names
    assert "PIL/Image.py" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if re.search(r"^bin/|/$|RECORD|INSTALLER|REQUESTED|direct_url|boto", name)]
    assert not [name for name in names if re.search(r"_imaging(ft|morph|tk)\.|freetype|harfbuzz|brotli", name)]


@pytest.mark.network
def test_every_entry_is_sorted_and_has_a_fixed_mode_and_date(package: Package) -> None:
    with zipfile.ZipFile(package.path) as archive:
        found = archive.infolist()
    names = [entry.filename for entry in found]
    assert names == sorted(names, key=lambda name: Path(name).parts)
    assert {entry.date_time for entry in found} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in found} == {3}
    assert {entry.external_attr >> 16 for entry in found} == {stat.S_IFREG | 0o644}


@pytest.mark.network
def test_byte_code_is_complete_and_unchecked_with_lambda_s_paths(package: Package) -> None:
    bodies = entries(package)
    modules = [Path(name) for name in bodies if name.endswith(".py")]
    assert len(modules) > len(list(FUNCTION.rglob("*.py")))
    for module in modules:
        code = bodies[str(module.parent / "__pycache__" / f"{module.stem}.cpython-{HERE.version_tag}.pyc")]
        assert code[4:8] == bytes([1, 0, 0, 0])  # PEP 552: by hash, not checked
        assert f"/var/task/{module}".encode() in code
        assert str(package.path.parent).encode() not in code


@pytest.mark.network
def test_the_manifest_describes_the_zip(package: Package, tmp_path: Path) -> None:
    body = package.path.read_bytes()
    unpack(package.path, tmp_path)
    for byte_code in tmp_path.rglob("*.pyc"):
        byte_code.unlink()
    assert json.loads(package.path.with_suffix(".json").read_text()) == {
        "runtime": f"python{HERE.python}",
        "architecture": HERE.architecture,
        "handler": "lambda_function.lambda_handler",
        "sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        "contents_sha256": contents_digest(tmp_path),
        "size": len(body),
        "packages": {"pillow": "13.0.0"},
    }


def test_the_contents_digest_is_of_names_and_bytes(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        tree = tmp_path / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for name, text in files.items():
            (tree / name).write_text(text)
        return contents_digest(tree)

    assert digest(a="1", b="2") == digest(b="2", a="1")
    assert digest(a="1", b="2") == digest(a="1", b="2", **{"c.pyc": "3"})
    assert len({digest(a="1", b="2"), digest(a="1", c="2"), digest(a="1", b="3"), digest(a="1b2"), digest(a="1")}) == 5


@pytest.mark.network
def test_two_folders_umasks_time_zones_and_environments_give_the_same_bytes(tmp_path: Path) -> None:
    script = "import os, sys; os.umask(int(sys.argv[1], 8)); sys.path.insert(0, '.'); from pathlib import Path; "
    script += "from tools.build import Target, build; build(Target.of_this_machine(), Path(sys.argv[2]), for_aws=False)"
    results = []
    for name, umask, environment in (
        ("one", "022", {"TZ": "UTC"}),
        ("another/deeper", "077", {"TZ": "Asia/Tokyo", "PYTHONOPTIMIZE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path)}),
    ):
        clone = tmp_path / name
        for part in ("function", "tools"):
            shutil.copytree(ROOT / part, clone / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in clone.rglob("*.py"):
            file.chmod(0o777 & ~int(umask, 8))
        subprocess.run(
            [sys.executable, "-c", script, umask, "dist"], cwd=clone, env=os.environ | environment, check=True
        )
        results.append([(clone / "dist" / file).read_bytes() for file in ("function.zip", "function.json")])
    assert results[0] == results[1]


@pytest.mark.network
@pytest.mark.parametrize(
    ("target", "core", "machine"),
    [
        (Target("3.14", "x86_64"), "_imaging.cpython-314-x86_64-linux-gnu.so", b"\x3e\0"),
        (Target("3.13", "arm64"), "_imaging.cpython-313-aarch64-linux-gnu.so", b"\xb7\0"),
        # There, a Mach-O file has the upper half of its number of load commands.
        (Target("3.13", "arm64", "darwin"), "_imaging.cpython-313-darwin.so", b"\0\0"),
    ],
)
def test_any_target_is_built_on_any_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Target, core: str, machine: bytes
) -> None:
    # Hide other Pythons of this machine.
    monkeypatch.setattr(interpreter, "_list_candidates", lambda _: [sys.executable])
    package = build(target, tmp_path / "dist")
    bodies = entries(package)
    binaries = {Path(name).name: body for name, body in bodies.items() if ".so" in Path(name).suffixes}
    assert core in binaries
    assert {body[18:20] for body in binaries.values()} == {machine}
    # No remaining file loads a library that was left out: auditwheel's names are unique.
    needed = {name for body in binaries.values() for name in re.findall(rb"lib\w+-[0-9a-f]{8}\.so[.\d]*", body)}
    assert {name.decode() for name in needed} == {name for name in binaries if name.startswith("lib")}
    assert any(name.endswith(".pyc") for name in bodies) == (target.python == HERE.python)
    assert package.has_byte_code == (target.python == HERE.python)
    assert (f"`uv python install {target.python}`" in package.warning) == (not package.has_byte_code)


def make_program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (f"echo cpython-{NOT_HERE.version_tag} final $0", True),
        (f"echo cpython-{NOT_HERE.version_tag} candidate $0", False),
        (f"echo cpython-{HERE.version_tag} final $0", False),
        ("exit 127", False),
        # A shim of pyenv.
        (f'[ "$PYENV_VERSION" = {NOT_HERE.python} ] && echo cpython-{NOT_HERE.version_tag} final $0', True),
    ],
)
def test_only_a_working_python_of_the_target_s_version_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: str, found: bool
) -> None:
    program = make_program(tmp_path / NOT_HERE.runtime, reply)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreter.find(NOT_HERE) == (str(program) if found else None)
    assert interpreter.find(HERE) == sys.executable


def test_a_python_that_uv_installed_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path").mkdir()
    program = make_program(tmp_path / "python", f"echo cpython-{NOT_HERE.version_tag} final $0")
    make_program(tmp_path / "path" / "uv", f'[ "$1 $2 $5" = "python find {NOT_HERE.python}" ] && echo {program}')
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert interpreter.find(NOT_HERE) == str(program)


@pytest.mark.parametrize(
    ("target", "for_aws", "message"),
    [
        (Target("3.11"), True, r"^Cannot .*'3\.11': its Lambda runtime has glibc 2\.26.*: use 3\.12, 3\.13 or 3\.14$"),
        (Target("3.9"), True, r"^Cannot .*'3\.9': .*: use 3\.12, 3\.13 or 3\.14$"),
        (Target("3.15"), True, r"^Cannot .*'3\.15': .*: use 3\.12, 3\.13 or 3\.14$"),
        (Target("latest"), True, r"^Cannot .*'latest': .*: use 3\.12, 3\.13 or 3\.14$"),
        (Target("3.10"), False, r"^The local AWS does not run Python '3\.10': use 3\.11 or 3\.12 or 3\.13 or 3\.14$"),
        (Target("3.13", "mips"), True, "^No architecture 'mips': use arm64 or x86_64$"),
    ],
)
def test_an_unsupported_target_is_refused(tmp_path: Path, target: Target, for_aws: bool, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        build(target, tmp_path / "dist", for_aws=for_aws)
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("name", "body", "tag", "message"),
    [
        ("a.so", elf("x86_64"), "py3-none-any", "^a.so is not for arm64"),
        ("a.so.6.0", elf("arm64").replace(b"ELF", b"ELV"), "py3-none-any", "^a.so.6.0 is not for arm64"),
        (
            "a.cpython-312-aarch64-linux-gnu.so",
            elf("arm64"),
            "py3-none-any",
            "^a.cpython-312-.* is not for Python 3.13",
        ),
        (
            "a.cpython-313t-aarch64-linux-gnu.so",
            elf("arm64"),
            "py3-none-any",
            "^a.cpython-313t-.* is not for Python 3.13",
        ),
        ("a.so", elf("arm64", "libc.so.6", "libX11.so.6"), "py3-none-any", "^a.so needs libX11.so.6, which neither"),
        ("a.so", elf("arm64", "libodd-1.so"), "py3-none-any", "^a.so needs libodd-1.so, which neither"),
        ("a.so", elf("arm64"), "cp313-cp313-manylinux_2_28_x86_64", "^The wheel of odd-1.0 is for .*_x86_64, not for"),
        (
            "a.so",
            elf("arm64"),
            "cp313-cp313-manylinux_2_39_aarch64",
            "^The wheel of odd-1.0 is for .*_2_39_.*, not for",
        ),
    ],
)
def test_a_wheel_for_the_wrong_platform_is_refused(
    tmp_path: Path, name: str, body: bytes, tag: str, message: str
) -> None:
    source = function_with(tmp_path / "source", {name: body}, tags=(tag,))
    with pytest.raises(ToolError, match=message):
        build(Target("3.13", "arm64"), tmp_path / "dist", source=source)
    assert list((tmp_path / "dist").iterdir()) == []


def test_a_wheel_for_the_target_is_accepted(tmp_path: Path) -> None:
    files = {"a.cpython-313-aarch64-linux-gnu.so": elf("arm64"), "b.abi3.so": elf("arm64")}
    tags = ("cp313-cp313-manylinux_2_27_aarch64", "cp313-cp313-manylinux_2_28_aarch64")
    source = function_with(tmp_path / "source", files, tags)
    assert build(Target("3.13", "arm64"), tmp_path / "dist", source=source).packages == {"odd": "1.0"}


def test_unused_libraries_are_left_out(tmp_path: Path) -> None:
    files = {
        "module.so": elf(HERE.architecture, "libdirect-1.so"),
        "odd.libs/libdirect-1.so": elf(HERE.architecture, "libindirect-1.so", "libc.so.6"),
        "odd.libs/libindirect-1.so": elf(HERE.architecture),
        "odd.libs/libalone-1.so": elf(HERE.architecture, "libofalone-1.so", "libdirect-1.so"),
        "odd.libs/libofalone-1.so": elf(HERE.architecture),
    }
    wheels.install(HERE, function_with(tmp_path / "source", files) / "requirements.txt", tmp_path / "tree")
    assert {path.name for path in (tmp_path / "tree").rglob("*.so")} == {
        "module.so",
        "libdirect-1.so",
        "libindirect-1.so",
    }


def test_a_locked_package_that_pip_skips_is_missed(tmp_path: Path) -> None:
    requirements = function_with(tmp_path / "source", {"odd.py": b""}) / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("odd==1.0", "odd==1.0 ; sys_platform == 'win32'"))
    with pytest.raises(ToolError, match=r"^odd 1\.0 of .*requirements\.txt is not in the package: remove its marker$"):
        wheels.install(HERE, requirements, tmp_path / "tree")


def keep_earlier(package: Package, directory: Path) -> Callable[[], bool]:
    """Put an earlier package into ``directory``; return a check that it is still there, without other files."""
    directory.mkdir()
    files = {name: (package.path.parent / name).read_bytes() for name in ("function.zip", "function.json")}
    for name, body in files.items():
        (directory / name).write_bytes(body)
    return lambda: {path.name: path.read_bytes() for path in directory.iterdir()} == files


@pytest.mark.network
def test_a_function_that_needs_this_machine_s_packages_is_not_built(package: Package, tmp_path: Path) -> None:
    earlier_is_kept = keep_earlier(package, tmp_path / "dist")
    source = function_with(tmp_path / "source", {"odd.py": b""})
    with pytest.raises(ToolError, match=r"not kept: ModuleNotFoundError: No module named 'PIL'$"):
        build(HERE, tmp_path / "dist", for_aws=False, source=source)
    assert earlier_is_kept()


@pytest.mark.network
def test_a_function_that_renders_wrongly_is_not_built(package: Package, tmp_path: Path) -> None:
    earlier_is_kept = keep_earlier(package, tmp_path / "dist")
    source = shutil.copytree(FUNCTION, tmp_path / "source")
    with (source / "imaging" / "render.py").open("a") as module:
        module.write("\n\ndef render(source, *_, **__):\n    return Rendered([Output(source, '', 0, 0)], 0, (0, 0))\n")
    with pytest.raises(ToolError, match=r"not kept: a JPEG of 256 x 256 became a JPEG of \(256, 256\)$"):
        build(HERE, tmp_path / "dist", for_aws=False, source=source)
    assert earlier_is_kept()


def test_a_function_that_does_not_compile_is_not_built(tmp_path: Path) -> None:
    source = function_with(tmp_path / "source", {"odd.py": b""})
    (source / "render.py").write_text("import\n")
    with pytest.raises(ToolError, match="not kept: SyntaxError: "):
        build(HERE, tmp_path / "dist", for_aws=False, source=source)


@pytest.mark.network
def test_an_interrupted_build_leaves_the_earlier_package(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    earlier_is_kept = keep_earlier(package, tmp_path / "dist")
    monkeypatch.setattr(interpreter, "try_out", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(
            HERE, tmp_path / "dist", for_aws=False, source=function_with(tmp_path / "source", {"odd.py": b"import os"})
        )
    assert earlier_is_kept()


@pytest.mark.network
def test_a_build_replaces_the_earlier_package(package: Package, tmp_path: Path) -> None:
    keep_earlier(package, tmp_path / "dist")
    other = Target("3.13", "x86_64" if HERE.architecture == "arm64" else "arm64")
    built = build(other, tmp_path / "dist", source=function_with(tmp_path / "source", {"odd.py": b""}))
    assert (tmp_path / "dist" / "function.json").read_text() == built.manifest()
    assert base64.b64encode(hashlib.sha256(built.path.read_bytes()).digest()).decode() == built.sha256
    assert (built.architecture, built.packages) == (other.architecture, {"odd": "1.0"})


@pytest.mark.parametrize(
    ("lock", "message"),
    [("--hash=sha256:" + "0" * 64, "THESE PACKAGES DO NOT MATCH THE HASHES"), ("", "Hashes are required")],
)
def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, lock: str, message: str) -> None:
    source = function_with(tmp_path / "source", {"odd.py": b""})
    requirements = source / "requirements.txt"
    requirements.write_text(re.sub("--hash=.*", lock, requirements.read_text()))
    with pytest.raises(ToolError, match=rf"^Cannot fetch the packages of {requirements}: {message}.*$"):
        build(Target(), tmp_path / "dist", source=source)


def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    message = (
        r"^Cannot fetch the packages of function/requirements\.txt: No matching .*pillow.*: check the network, or set"
    )
    with pytest.raises(ToolError, match=message):
        build(Target(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "dist", Path("/proc/self/dist")):
        with pytest.raises(ToolError, match=rf"^Cannot write {directory}: [^:]+: make it a folder that you may"):
            build(Target(), directory)


def test_a_full_disk_is_named_with_other_advice_than_a_forbidden_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("tempfile.TemporaryDirectory", Mock(side_effect=full))
    with pytest.raises(ToolError, match=r"^Cannot write .*: No space left on device: free some space$"):
        build(Target(), tmp_path)


@pytest.mark.network
def test_a_zip_with_every_extra_works_and_has_no_build_files(tmp_path: Path) -> None:
    package = build(HERE, tmp_path, for_aws=False, extras=["heic", "c2pa"])
    assert package.packages.keys() == {"pillow", "pillow_heif", "c2pa-python"}
    with zipfile.ZipFile(package.path) as archive:
        found = {name for name in archive.namelist() if name.startswith("c2pa/") and not name.endswith(".pyc")}
        # Lambda unpacks at most 250 MB.
        assert sum(entry.file_size for entry in archive.infolist()) < 100_000_000
    assert found == {"c2pa/__init__.py", "c2pa/c2pa.py", "c2pa/lib.py", "c2pa/libs/libc2pa_c.so"}


@pytest.mark.network
def test_c2pa_is_built_for_another_processor(tmp_path: Path) -> None:
    other = "x86_64" if HERE.architecture == "arm64" else "arm64"
    assert build(Target("3.13", other), tmp_path, extras=["c2pa"]).packages.keys() == {"pillow", "c2pa-python"}
