"""Running Terraform: what is missing is said in one line, and nothing is left running."""

import sys
import time
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.terraform import PROVIDER, Terraform

FAKE = """#!{python}
import json, os, subprocess, sys
if sys.argv[1] == "version":
    print(json.dumps({{"terraform_version": "{version}"}}))
    sys.exit()
{body}
"""


def fake(folder: Path, body: str = "", version: str = "1.11.4") -> None:
    """Put a program named terraform into ``folder``."""
    program = folder / "terraform"
    program.write_text(FAKE.format(python=sys.executable, version=version, body=body))
    program.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_no_terraform(path: Path) -> None:
    with pytest.raises(ToolError, match=r"^No terraform on PATH: install Terraform 1\.11 or newer"):
        Terraform(path)


def test_terraform_too_old(path: Path) -> None:
    fake(path, version="1.10.5")
    with pytest.raises(ToolError, match=r"^Terraform 1\.10\.5 is too old: install 1\.11 or newer$"):
        Terraform(path)


def test_terraform_that_does_not_run(path: Path) -> None:
    (path / "terraform").write_text("#!/nonexistent\n")
    (path / "terraform").chmod(0o755)
    with pytest.raises(ToolError, match="terraform does not run: install"):
        Terraform(path)


def test_an_error_is_condensed_to_one_line_without_its_code(path: Path) -> None:
    box = (
        "╷\n│ \x1b[31mError: \x1b[0mInvalid value\n│ \n│   on a.tf line 3:\n│    3: x = 1\n│ \n│ It must\n│ be 2.\n╵\n"
    )
    fake(path, f"sys.stderr.write({box!r}); sys.exit(1)")
    with pytest.raises(ToolError, match=r"^terraform plan: Invalid value It must be 2\.$"):
        Terraform(path).run("plan")


def test_a_configuration_file_that_does_not_exist_is_not_passed_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(path, 'print(os.environ.get("TF_CLI_CONFIG_FILE"))')
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(path / "missing"))
    assert Terraform(path).run("plan") == "None\n"
    (path / "there").touch()
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(path / "there"))
    assert Terraform(path).run("plan") == f"{path / 'there'}\n"


def test_a_named_mirror_is_used_and_must_hold_the_provider(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(path, "print(sys.argv); sys.exit('no' if '-plugin-dir=' + os.environ['TF_PLUGIN_DIR'] not in sys.argv else 0)")
    monkeypatch.setenv("TF_PLUGIN_DIR", str(path))
    with pytest.raises(ToolError, match=rf"TF_PLUGIN_DIR is .* does not hold {PROVIDER}"):
        Terraform(path).init()
    (path / PROVIDER).mkdir(parents=True)
    Terraform(path).init()


def test_an_interrupt_ends_terraform_and_its_providers(path: Path) -> None:
    # The provider ignores signals, as a hanging one would.
    body = """
provider = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(provider.pid, flush=True)
provider.wait()
"""
    fake(path, body)
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Terraform(path).run("apply", show=interrupt)
    deadline = time.monotonic() + 10
    while _alive(seen[0]):
        assert time.monotonic() < deadline, "the provider outlived Terraform"


def _alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
