"""Running Terraform: every error is one line, and no process is left behind."""

import sys
import time
from pathlib import Path

import pytest

from tests.processes import is_running
from tools.common import terraform
from tools.common.errors import ToolError
from tools.common.terraform import PROVIDER, Terraform

FAKE = """#!{python}
import json, os, subprocess, sys
if sys.argv[1] == "version":
    print(json.dumps({{"terraform_version": "{version}"}}))
    sys.exit()
{body}
"""


def fake(folder: Path, body: str = "", version: str = "1.11.4", name: str = "terraform") -> None:
    """Put a program into ``folder``."""
    program = folder / name
    program.write_text(FAKE.format(python=sys.executable, version=version, body=body))
    program.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_no_terraform(path: Path) -> None:
    with pytest.raises(ToolError, match=r"^No terraform or tofu on PATH: install Terraform 1\.11 or newer"):
        Terraform(path)


def test_terraform_too_old(path: Path) -> None:
    fake(path, version="1.10.5")
    with pytest.raises(ToolError, match=r"^Terraform 1\.10\.5 is too old: install Terraform 1\.11 or newer$"):
        Terraform(path)
    (path / "terraform").unlink()
    fake(path, version="1.8.3", name="tofu")
    with pytest.raises(ToolError, match=r"^OpenTofu 1\.8\.3 is too old: install OpenTofu 1\.9 or newer$"):
        Terraform(path)


def test_terraform_that_does_not_run(path: Path) -> None:
    (path / "terraform").write_text("#!/nonexistent\n")
    (path / "terraform").chmod(0o755)
    with pytest.raises(ToolError, match="terraform does not run: install"):
        Terraform(path)


REPORT = """
Warning: Old

You should not see this.

Error: Invalid value

  on a.tf line 3:
   3: x = 1
    ├────────────────
    │ var.x is 1

It must
be 2.

Choose 2.

This was checked by the validation rule at
a.tf:4,3-13.

Error: Too few

Error: Too few
"""


def test_errors_are_one_line_without_code(path: Path) -> None:
    fake(path, f"sys.stderr.write({REPORT!r}); sys.exit(1)")
    with pytest.raises(ToolError, match=r"^terraform plan: Invalid value: It must be 2\. Choose 2\.; Too few$"):
        Terraform(path).run("plan")


def test_a_failure_without_an_error_shows_the_output(path: Path) -> None:
    fake(path, "print('not\\nwell'); sys.exit(1)")
    with pytest.raises(ToolError, match=r"^terraform plan: not well$"):
        Terraform(path).run("plan")


def test_many_errors_do_not_block_terraform(path: Path) -> None:
    fake(path, "sys.stderr.write('x' * 1_000_000); print('done')")
    assert Terraform(path).run("plan") == "done\n"


def test_given_keys_replace_all_of_the_environment_s(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(path, 'print(os.environ.get("AWS_PROFILE"), os.environ.get("AWS_REGION"))')
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert Terraform(path).run("plan") == "work eu-west-1\n"
    assert Terraform(path, environment={"AWS_REGION": "eu-west-2"}).run("plan") == "None eu-west-2\n"


ONLY_FROM_A_MIRROR = """
if f"-plugin-dir={os.getcwd()}/mirror" not in sys.argv:
    sys.exit("Error: No network")
"""


def test_opentofu_runs_where_terraform_is_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "ADD_ONS", path)
    fake(path, ONLY_FROM_A_MIRROR + "print('OpenTofu')", "1.9.1", "tofu")
    with pytest.raises(ToolError, match=r"^tofu init: No network"):
        Terraform(path).init()
    (path / "mirror" / "registry.opentofu.org" / PROVIDER).mkdir(parents=True)
    Terraform(path).init()
    fake(path, "print('terraform')")
    assert Terraform(path).run("plan") == "terraform\n"


def test_a_mirror_is_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "ADD_ONS", path)
    fake(path, ONLY_FROM_A_MIRROR)
    with pytest.raises(ToolError, match=r"^terraform init: No network \(Without a network, set a filesystem_mirror"):
        Terraform(path).init()
    (path / "mirror" / "registry.terraform.io" / PROVIDER).mkdir(parents=True)
    Terraform(path).init()


def test_a_mirror_without_the_locked_version_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "ADD_ONS", path)
    (path / "mirror" / "registry.terraform.io" / PROVIDER).mkdir(parents=True)
    fake(path, "sys.exit(any(argument.startswith('-plugin-dir=') for argument in sys.argv))")
    Terraform(path).init()


@pytest.mark.parametrize(("target", "option"), [("", ""), ("module.a", " -target=module.a")])
def test_an_apply_takes_settings_and_a_target(path: Path, target: str, option: str) -> None:
    fake(path, "print(*sys.argv[1:])")
    shown: list[str] = []
    Terraform(path).apply(path / "a.tfvars", target=target, show=shown.append)
    assert shown == [f"apply -auto-approve -input=false -var-file={path / 'a.tfvars'}{option} -no-color"]


# Terraform writes its state and exits; its provider ignores the signal, as a hanging one would.
INTERRUPTED = """
import signal
code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); signal.pause()"
provider = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
provider.stdout.readline()

def finish(*_):
    print("x" * 1_000_000, flush=True)
    open("state", "x").close()
    os._exit(1)

signal.signal(signal.SIGINT, finish)
# signal.pause() would miss a signal that arrives just before it.
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
print(provider.pid, flush=True)
while True:
    # Python calls the handler at the loop's next turn.
    os.read(reader, 1)
"""


def test_an_interrupted_terraform_writes_its_state_and_leaves_no_provider(path: Path) -> None:
    fake(path, INTERRUPTED)
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Terraform(path).run("apply", show=interrupt)
    assert (path / "state").exists()
    deadline = time.monotonic() + 10
    while is_running(seen[0]):
        assert time.monotonic() < deadline, "the provider outlived Terraform"
