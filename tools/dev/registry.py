"""Assembles the module's own repository, as Terraform's registries want it, from ``terraform/`` and a release.

https://developer.hashicorp.com/terraform/registry/modules/publish
"""

import hashlib
import os.path
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tools.build import Target
from tools.build.package import MANIFEST, ZIP
from tools.common.errors import ToolError, make_write_error
from tools.common.paths import ROOT
from tools.dev.release import check_version, run_git

REPOSITORY = re.compile(r"https://[\w.-]+/[\w.-]+/[\w-]+")

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)(?P<path>[^)#\s]+)")
"""The path of a relative link, without its anchor."""

SOURCE = re.compile(
    r'^(?P<indent> *)(?P<name>source *)= "git::[^"]+//terraform(?P<module>/modules/\w+)?\?ref=v[\d.]+"$', re.MULTILINE
)
"""The ``source`` of a module from git."""


@dataclass(frozen=True)
class Edition:
    """One version of the module in a registry.

    Args:
        version: Such as ``1.0.0``.
        repository: URL of this repository, such as ``https://github.com/OWNER/image-resize``.

    Raises:
        ToolError: The version or the URL is malformed.

    """

    version: str
    repository: str

    def __post_init__(self) -> None:
        check_version(self.version)
        if not REPOSITORY.fullmatch(self.repository):
            raise ToolError(
                f"{self.repository!r} is no repository: give one such as https://github.com/OWNER/image-resize"
            )

    @property
    def address(self) -> str:
        """The module's address in the public registry."""
        return "{}/{}/aws".format(*self.repository.split("/")[-2:])

    @property
    def module_repository(self) -> str:
        """URL of the module's own repository, whose name the public registry prescribes."""
        owner, _, name = self.repository.rpartition("/")
        return f"{owner}/terraform-aws-{name}"

    def locate(self, path: str) -> str:
        """Return the URL of a file of this repository; those in ``terraform/`` are in the module's."""
        repository = self.repository
        if path == "terraform" or path.startswith("terraform/"):
            repository, path = self.module_repository, path.removeprefix("terraform").removeprefix("/")
        return f"{repository}/blob/v{self.version}/{path}".rstrip("/")


def assemble(edition: Edition, release: Path, folder: Path) -> None:
    """Write the module, its submodules, examples and tests, with the release's zip for the default target.

    Args:
        edition: Which version, and where it is published.
        release: The folder with the release's files.
        folder: An empty folder, or a clone of the module's repository without files; created if it does not exist.

    Raises:
        ToolError: The release has no such zip, or it is damaged; or the folder has files, or can't be written.

    """
    archive = _find_archive(release)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if others := sorted({path.name for path in folder.iterdir()} - {".git"}):
            raise ToolError(f"{folder} has {others[0]}: give an empty folder")
        (folder / "dist").mkdir()
        shutil.copyfile(archive, folder / "dist" / ZIP)
        shutil.copyfile(archive.with_suffix(".json"), folder / "dist" / MANIFEST)
        shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
        for name in run_git("ls-files", "terraform").splitlines():
            copy = folder / Path(name).relative_to("terraform")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
            if copy.suffix == ".tf":
                # Here dist/ is beside the module, there in it.
                copy.write_text(copy.read_text().replace("../dist/", "dist/"))
            elif copy.suffix == ".md":
                copy.write_text(_rewrite(Path(name), copy.read_text(), edition))
    except OSError as error:
        raise make_write_error(folder, error, "make it a folder that you may write to") from error


def _find_archive(release: Path) -> Path:
    """Return the zip that a release has for the default target."""
    target = Target()
    pattern = f"image-resize-{target.runtime}-{target.architecture}-*.zip"
    found = sorted(release.glob(pattern))
    if len(found) != 1:
        raise ToolError(
            f"{release} has {len(found)} of {pattern}: run `invoke release --artifacts`, or download the release"
        )
    (archive,) = found
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if not archive.stem.endswith(f"-{digest}"):
        raise ToolError(f"{archive} has the SHA-256 {digest}, not the one in its name: download it again")
    if not archive.with_suffix(".json").is_file():
        raise ToolError(f"{archive.with_suffix('.json')}, the zip's manifest, is missing: download it, too")
    return archive


def _rewrite(name: Path, text: str, edition: Edition) -> str:
    """Rewrite a document: its links, the module's address, and the commands that a clone of this repository needs."""

    def rewrite_link(found: re.Match[str]) -> str:
        # Absolute: a registry shows the document at an address of its own.
        return edition.locate(os.path.normpath(name.parent / found["path"]))

    def rewrite_source(found: re.Match[str]) -> str:
        module = f"/{found['module']}" if found["module"] else ""
        # As wide as `terraform fmt` makes it.
        width = max(len(found["name"]), len("version "))
        lines = {"source": edition.address + module, "version": edition.version}
        return "\n".join(f'{found["indent"]}{name:{width}}= "{value}"' for name, value in lines.items())

    text = SOURCE.sub(rewrite_source, LINK.sub(rewrite_link, text))
    for old, new in (("\ninvoke build\n", "\n"), ("terraform/examples/", "examples/"), (" -chdir=terraform ", " ")):
        text = text.replace(old, new)
    return text
