"""A built zip and its manifest, through which Terraform knows what is inside."""

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
    """A zip; beside it lies its manifest, which holds all of this but the path.

    Attributes:
        path: Of the zip.
        runtime: Lambda's name of it, such as ``python3.13``.
        architecture: Lambda's name of it: ``arm64`` or ``x86_64``.
        handler: What Lambda calls.
        sha256: Of the zip, in base64, as Lambda reports it.
        contents_sha256: Of the names and bytes inside, the same whoever packed them; byte code does not count.
        size: Of the zip, in bytes.
        packages: The version of each package inside.

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
        """Describe a zip that was just packed."""
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
        """Whether there was a Python of the target's version to compile it; without it a cold start takes longer."""
        with zipfile.ZipFile(self.path) as archive:
            return any(name.endswith(".pyc") for name in archive.namelist())

    def manifest(self) -> str:
        """The manifest's text."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "path"}, indent=2) + "\n"
