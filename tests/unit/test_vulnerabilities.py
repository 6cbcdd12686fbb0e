"""Known vulnerabilities of the lock files' packages, with a pip-audit that needs no network."""

import json
from pathlib import Path

import pytest

from tools.common.errors import ToolError
from tools.dev import lock, vulnerabilities


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install_stub(folder: Path, script: str) -> None:
    """Put a pip-audit into a folder."""
    program = folder / "pip-audit"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_each_vulnerability_is_named_once_with_the_fix(path: Path) -> None:
    found = [{"id": "PYSEC-1", "fix_versions": ["13.0.1"]}, {"id": "PYSEC-2", "fix_versions": []}]
    packages = [
        {"name": "pillow", "version": "13.0.0", "vulns": found},
        {"name": "rich", "version": "14.0.0", "vulns": []},
    ]
    install_stub(path, f"echo \"$@\" >> {path}/arguments; echo '{json.dumps({'dependencies': packages})}'; exit 1")
    assert vulnerabilities.find() == [
        "pillow 13.0.0 has PYSEC-1: raise any pin to 13.0.1, and run `invoke lock --package pillow`",
        "pillow 13.0.0 has PYSEC-2: no version fixes it yet",
    ]
    for line, file in zip((path / "arguments").read_text().splitlines(), lock.LOCKS.values(), strict=True):
        # Without --strict, pip-audit passes a package that PyPI does not know.
        assert {"--strict", f"--requirement={file}"} <= set(line.split())


@pytest.mark.parametrize(
    ("script", "reason"), [("echo a >&2; echo no host >&2; exit 1", "no host"), ("exit 3", "exit code 3")]
)
def test_no_network_is_one_line(path: Path, script: str, reason: str) -> None:
    install_stub(path, script)
    with pytest.raises(ToolError, match=f"^pip-audit could not look up the packages; check the network: {reason}$"):
        vulnerabilities.find()


@pytest.mark.usefixtures("path")
def test_without_pip_audit_the_error_says_how_to_get_it() -> None:
    with pytest.raises(ToolError, match=r"^No pip-audit on PATH: run `pip install pip-audit` first$"):
        vulnerabilities.find()
