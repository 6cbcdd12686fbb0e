"""Reads and writes metadata with exiftool, which shares no code with Pillow."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.common.errors import ToolError

Tags = dict[str, Any]
"""Values by group and name, such as ``XMP-dc:Rights``; structures as exiftool nests them."""


class Exiftool:
    """The program; each call starts it once, for any number of files.

    Raises:
        ToolError: It is not installed.

    """

    def __init__(self) -> None:
        if not shutil.which("exiftool"):
            raise ToolError("No exiftool on PATH: apt-get install libimage-exiftool-perl")

    def read(self, bodies: Mapping[str, bytes]) -> dict[str, Tags]:
        """Return the tags of each file, by the names of the files."""
        with tempfile.TemporaryDirectory() as folder:
            numbered = {f"{index:06}": name for index, name in enumerate(bodies)}
            for number, name in numbered.items():
                Path(folder, number).write_bytes(bodies[name])
            read = self._run(["-json", "-groupNames1", "-struct", "-unknown", "-ext", "*", folder])
        return {numbered[Path(tags.pop("SourceFile")).name]: tags for tags in json.loads(read)}

    def write(self, body: bytes, assignments: Sequence[str]) -> bytes:
        """Return a file with more tags, such as ``-XMP-dc:Rights=mine``."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            path.write_bytes(body)
            self._run(["-quiet", "-overwrite_original", *assignments, str(path)])
            return path.read_bytes()

    def _run(self, arguments: Sequence[str]) -> bytes:
        # Without a configuration file, which a user may have.
        return subprocess.run(["exiftool", "-config", "", *arguments], check=True, capture_output=True).stdout
