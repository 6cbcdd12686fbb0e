"""An object's Content-Encoding, undone: what is stored compressed, for browsers to unpack, is an image all the same."""

import zlib

from errors import Reason, RejectedError
from imaging import budget
from imaging.limits import Limits

GZIP = b"\x1f\x8b"

SLICE_BYTES = 1 << 14
"""How much is unpacked, to at most a thousand times as much, before it is checked that all still fits."""


def decoded(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Unpack a body that is labelled as gzip, and is; the label alone is not believed.

    Args:
        body: As S3 stores it.
        encoding: The Content-Encoding header; empty where there is none.
        limits: What one image may cost.

    Raises:
        RejectedError: CORRUPT, or TOO_LARGE for the memory before all is unpacked.

    """
    if "gzip" not in encoding.lower() or not body.startswith(GZIP):
        return body
    member, unpacked = zlib.decompressobj(wbits=31), bytearray()
    for start in range(0, len(body), SLICE_BYTES):
        try:
            unpacked += member.decompress(body[start : start + SLICE_BYTES])
        except zlib.error as error:
            raise RejectedError(Reason.CORRUPT, f"the gzip content cannot be unpacked: {error}") from error
        budget.check_download(len(body) + len(unpacked), limits)
        if member.eof:
            return bytes(unpacked)
    raise RejectedError(Reason.CORRUPT, "the gzip content ends too early")
