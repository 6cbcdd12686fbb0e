"""A folder as a zip that is the same bytes whenever and wherever it is packed."""

import base64
import hashlib
import stat
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip can hold."""

UNIX = 3
"""The system that gives the mode its meaning."""


def files(tree: Path) -> list[Path]:
    """Every file below ``tree``, in the order of their names."""
    return sorted(path for path in tree.rglob("*") if path.is_file())


def pack(tree: Path, archive: Path) -> None:
    """Write ``archive`` with every file below ``tree`` and none of what differs from machine to machine."""
    with zipfile.ZipFile(archive, "w") as packed:
        for path in files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), EPOCH)
            entry.create_system = UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


def unpack(archive: Path, directory: Path) -> None:
    """Undo :func:`pack`."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(directory)


def contents_digest(tree: Path) -> str:
    """Identify what is below ``tree``, in base64.

    It differs neither with the compressor nor with the Python at hand, as the zip's own hash does.
    """
    digest = hashlib.sha256()
    for path in files(tree):
        if path.suffix != ".pyc":
            body = path.read_bytes()
            digest.update(f"{path.relative_to(tree).as_posix()}\0{len(body)}\0".encode())
            digest.update(body)
    return base64.b64encode(digest.digest()).decode()
