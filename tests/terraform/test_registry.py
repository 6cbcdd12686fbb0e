"""The module's own repository for registries: it and its examples can be planned, and its documents fit it."""

import contextlib
import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.markdown import Document
from tests.repository import git
from tools.common.errors import ToolError
from tools.common.paths import ROOT, TERRAFORM
from tools.common.terraform import Terraform
from tools.dev.registry import Edition, assemble

EDITION = Edition("1.0.0", "https://github.com/example/image-resize")
EXAMPLES = sorted(path.name for path in (TERRAFORM / "examples").iterdir())

RUN = """
mock_provider "aws" {{
  source = "./tests/mocks"
}}

run "plan" {{
  command = plan

  {module}

  variables {{
    {variables}
  }}
}}
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a release's zip and manifest."""
    folder = tmp_path_factory.mktemp("release")
    archive = TERRAFORM / "tests" / "package" / "function.zip"
    name = f"image-resize-python3.13-arm64-{hashlib.sha256(archive.read_bytes()).hexdigest()}"
    for suffix in (".zip", ".json"):
        shutil.copy(archive.with_suffix(suffix), folder / f"{name}{suffix}")
    return folder


@pytest.fixture(scope="module")
def copy(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembled repository, which has git's own folder already."""
    folder = tmp_path_factory.mktemp("registry") / "a" / "b" / "terraform-aws-image-resize"
    (folder / ".git").mkdir(parents=True)
    assemble(EDITION, release, folder)
    return folder


def test_it_has_the_files_of_a_registrys_module(copy: Path) -> None:
    names = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    tracked = {name.removeprefix("terraform/") for name in git(ROOT, "ls-files", "terraform").splitlines()}
    assert names == tracked | {"LICENSE", "dist/function.zip", "dist/function.json"}
    assert {"main.tf", "variables.tf", "outputs.tf", "README.md", "modules/function/main.tf"} <= names
    assert (copy / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def messages(
    copy: Path, module_copy: Path, provider: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Terraform's messages about plans of the copy and of its examples."""
    del module_copy  # The fixture skips the tests if Terraform is missing.
    folder = tmp_path_factory.mktemp("planned") / "a" / "b" / "module"
    shutil.copytree(copy, folder)
    # Where examples look for it from their own folders: Terraform's tests run in the module's.
    shutil.copytree(copy / "dist", folder.parents[1] / "dist")
    tests = folder / "tests" / "registry"
    tests.mkdir()
    buckets = 'source_bucket = "images-in"\n destination_bucket = "images-out"'
    (tests / "root.tftest.hcl").write_text(RUN.format(module="", variables=buckets))
    for name in EXAMPLES:
        module = f'module {{\n source = "./examples/{name}"\n }}'
        variables = 'bucket_prefix = "images"\n availability_zone = "eu-west-2a"'
        (tests / f"{name}.tftest.hcl").write_text(RUN.format(module=module, variables=variables))
    terraform, lines = Terraform(folder, environment=provider), list[str]()
    terraform.init("-test-directory=tests/registry")
    # The message of each test says why it failed.
    with contextlib.suppress(ToolError):
        terraform.run("test", "-json", "-test-directory=tests/registry", show=lines.append)
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["root", *EXAMPLES])
def test_the_copy_and_its_examples_are_planned_with_its_own_zip(messages: list[dict[str, Any]], name: str) -> None:
    own = [one for one in messages if one.get("@testfile") == f"tests/registry/{name}.tftest.hcl"]
    problems = [one["diagnostic"] for one in own if "diagnostic" in one]
    assert "pass" in [one.get("test_run", {}).get("status") for one in own], problems


def locate(link: str, copy: Path) -> Path:
    """Return the file that a link's URL will lead to once both repositories are published."""
    for repository, folder in ((EDITION.module_repository, copy), (EDITION.repository, ROOT)):
        if link.startswith(f"{repository}/blob/v1.0.0/"):
            return folder / link.partition("/blob/v1.0.0/")[2]
    raise AssertionError(f"{link} leads elsewhere")


def test_every_link_of_its_documents_leads_to_a_file_and_a_heading(copy: Path) -> None:
    count = 0
    for path in copy.rglob("*.md"):
        document = Document.read(path)
        for link in document.links:
            url, _, anchor = link.partition("#")
            if url and not url.startswith("https://github.com/example/"):
                # No relative link is left: a registry shows a document elsewhere.
                assert url.startswith("https://"), f"{path}: {link}"
                continue
            target = locate(url, copy) if url else path
            assert target.exists(), f"{path}: {link}"
            assert not anchor or anchor in Document.read(target).anchors, f"{path}: {link}"
            count += 1
    assert count > 80


def test_its_documents_name_the_registrys_module_and_version(copy: Path) -> None:
    text = (copy / "README.md").read_text()
    assert '  source  = "example/image-resize/aws//modules/function"\n  version = "1.0.0"\n' in text
    assert '  source    = "example/image-resize/aws//modules/notification"\n  version   = "1.0.0"\n  providers' in text
    original = (TERRAFORM / "README.md").read_text()
    assert len(re.findall(r'^ *version *= "1\.0\.0"$', text, re.MULTILINE)) == original.count('"git::https') > 10
    assert not [path for path in copy.rglob("*.md") if "git::" in path.read_text()]


def test_its_commands_need_no_build_and_name_its_own_folders(copy: Path) -> None:
    commands = [line for path in copy.rglob("*.md") for line in Document.read(path).commands]
    folders = {found for line in commands for found in re.findall(r"-chdir=(\S+)", line)}
    assert folders == {f"examples/{name}" for name in EXAMPLES}
    assert not [line for line in commands if re.search(r"invoke build|-chdir=terraform|terraform/examples", line)]
    assert "terraform init" in commands


def test_only_a_whole_zip_with_its_manifest_is_taken(release: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r" has 0 of image-resize-python3\.13-arm64-\*\.zip: run `invoke release"):
        assemble(EDITION, tmp_path, tmp_path / "copy")
    shutil.copytree(release, tmp_path / "release")
    (archive,) = (tmp_path / "release").glob("*.zip")
    manifest = archive.with_suffix(".json")
    manifest.rename(tmp_path / "manifest")
    with pytest.raises(ToolError, match=r"\.json, the zip's manifest, is missing: download it, too$"):
        assemble(EDITION, archive.parent, tmp_path / "copy")
    (tmp_path / "manifest").rename(manifest)
    archive.write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(ToolError, match=r" has the SHA-256 \w{64}, not the one in its name: download it again$"):
        assemble(EDITION, archive.parent, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_with_files_or_that_cannot_be_written_is_refused(release: Path, tmp_path: Path) -> None:
    (tmp_path / "main.tf").touch()
    with pytest.raises(ToolError, match=r" has main\.tf: give an empty folder$"):
        assemble(EDITION, release, tmp_path)
    with pytest.raises(ToolError, match=r"^Cannot write .*/main\.tf: .*: make it a folder that you may write to$"):
        assemble(EDITION, release, tmp_path / "main.tf")


@pytest.mark.parametrize(
    "repository",
    ["example/image-resize", "https://github.com/image-resize", "git@github.com:a/b", "https://github.com/a/b/"],
)
def test_a_repository_is_a_url(repository: str) -> None:
    with pytest.raises(ToolError, match=r" is no repository: give one such as https://github\.com/OWNER/image-resize$"):
        Edition("1.0.0", repository)


def test_a_malformed_version_is_refused() -> None:
    with pytest.raises(ToolError, match=r"^'v1' is not a version: "):
        Edition("v1", EDITION.repository)
