"""Known vulnerabilities of the lock files' packages, with a pip-audit that needs no network."""

import json
from pathlib import Path

import pytest

from tools.common import locked
from tools.common.errors import ToolError
from tools.dev import lock, vulnerabilities


def install_stub(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a pip-audit where the tool finds its own."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(locked, "virtual_environment", lambda *_: python)


def test_each_vulnerability_is_named_once_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"id": "PYSEC-1", "fix_versions": ["13.0.1"]}, {"id": "PYSEC-2", "fix_versions": []}]
    packages = [
        {"name": "pillow", "version": "13.0.0", "vulns": found},
        {"name": "rich", "version": "14.0.0", "vulns": []},
    ]
    answer = json.dumps({"dependencies": packages})
    install_stub(tmp_path, monkeypatch, f"echo \"$@\" >> {tmp_path}/arguments; echo '{answer}'; exit 1")
    assert vulnerabilities.find() == [
        "pillow 13.0.0 has PYSEC-1: raise any pin to 13.0.1, and run `invoke lock --package pillow`",
        "pillow 13.0.0 has PYSEC-2: no version fixes it yet",
    ]
    for line, file in zip((tmp_path / "arguments").read_text().splitlines(), lock.LOCKS.values(), strict=True):
        # Without --strict, pip-audit passes a package that PyPI does not know.
        assert line.startswith("-m pip_audit ")
        assert {"--strict", f"--requirement={file}"} <= set(line.split())


@pytest.mark.parametrize(
    ("script", "reason"), [("echo a >&2; echo no host >&2; exit 1", "no host"), ("exit 3", "exit code 3")]
)
def test_no_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str) -> None:
    install_stub(tmp_path, monkeypatch, script)
    with pytest.raises(ToolError, match=f"^pip-audit could not look up the packages; check the network: {reason}$"):
        vulnerabilities.find()
