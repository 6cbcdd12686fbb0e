"""A built zip, and the manifest that describes it to Terraform."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.build.target import Target

ZIP = "function.zip"
MANIFEST = "function.json"
HANDLER = "lambda_function.lambda_handler"


@dataclass(frozen=True)
class Package:
    """A built zip; its manifest has all attributes except the path.

    Attributes:
        path: Of the zip.
        runtime: Such as ``python3.13``.
        architecture: ``arm64`` or ``x86_64``.
        handler: The handler's name in Lambda.
        sha256: Of the zip, in base64 as Lambda reports it.
        contents_sha256: Of the names and contents of its files, without byte code.
        size: Of the zip, in bytes.
        packages: Version by package.

    """

    path: Path
    runtime: str
    architecture: str
    handler: str
    sha256: str
    contents_sha256: str
    size: int
    packages: Mapping[str, str]

    @classmethod
    def of(cls, path: Path, target: Target, contents_sha256: str, packages: Mapping[str, str]) -> "Package":
        """Describe a zip."""
        return cls(
            path=path,
            runtime=target.runtime,
            architecture=target.architecture,
            handler=HANDLER,
            sha256=base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode(),
            contents_sha256=contents_sha256,
            size=path.stat().st_size,
            packages=packages,
        )

    @property
    def has_byte_code(self) -> bool:
        """Whether the zip has byte code; without it, cold starts are slower."""
        with zipfile.ZipFile(self.path) as archive:
            return any(name.endswith(".pyc") for name in archive.namelist())

    @property
    def warning(self) -> str:
        """What to change before the zip is deployed; empty if nothing."""
        if self.has_byte_code:
            return ""
        version = self.runtime.removeprefix("python")
        return (
            f"Warning: the zip has no byte code, because there is no Python {version} on this machine. Each cold start "
            f"takes two thirds more CPU. Install it, for example with `uv python install {version}`, and build again."
        )

    def manifest(self) -> str:
        """Return the manifest's text."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "path"}, indent=2) + "\n"
