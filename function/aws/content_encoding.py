"""Decompresses objects that are stored with ``Content-Encoding: gzip``."""

import zlib

from errors import Reason, RejectedError
from imaging.limits import Limits

GZIP = b"\x1f\x8b"

SLICE_BYTES = 1 << 14
"""Input between two checks of the memory. gzip expands it at most a thousandfold."""


def decompress(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Decompress a body whose header and first bytes both say gzip; return any other body unchanged.

    Args:
        body: As S3 stores it.
        encoding: The Content-Encoding header; empty if there is none.
        limits: The memory that it may take.

    Raises:
        RejectedError: CORRUPT, or TOO_LARGE as soon as the result exceeds the memory.

    """
    if "gzip" not in encoding.lower() or not body.startswith(GZIP):
        return body
    decompressor, decompressed = zlib.decompressobj(wbits=31), bytearray()
    for start in range(0, len(body), SLICE_BYTES):
        try:
            decompressed += decompressor.decompress(body[start : start + SLICE_BYTES])
        except zlib.error as error:
            raise RejectedError(Reason.CORRUPT, f"the gzip content cannot be unpacked: {error}") from error
        limits.check_source(len(body) + len(decompressed))
        if decompressor.eof:
            return bytes(decompressed)
    raise RejectedError(Reason.CORRUPT, "the gzip content ends too early")
