"""Reproducible zips."""

import base64
import hashlib
import stat
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date in the zip format."""

UNIX = 3
"""The zip format's number of the system whose file modes are stored."""


def files(tree: Path) -> list[Path]:
    """Return all files below ``tree``, sorted."""
    return sorted(path for path in tree.rglob("*") if path.is_file())


def pack(tree: Path, archive: Path) -> None:
    """Write all files below ``tree`` to ``archive``, without dates, owners and modes."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
            entry.create_system = UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def unpack(archive: Path, directory: Path) -> None:
    """Extract a zip or a wheel."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(directory)


def contents_digest(tree: Path) -> str:
    """Return a SHA-256 of names and contents, in base64; unlike the zip's, it does not depend on zlib."""
    digest = hashlib.sha256()
    for path in files(tree):
        if path.suffix != ".pyc":
            body = path.read_bytes()
            digest.update(f"{path.relative_to(tree).as_posix()}\0{len(body)}\0".encode())
            digest.update(body)
    return base64.b64encode(digest.digest()).decode()
