"""Content-Encoding: gzip content is decompressed within the memory; a wrong label is ignored."""

import gzip

import pytest

from aws.content_encoding import decompress
from errors import Reason, RejectedError
from imaging.limits import RUNTIME_BYTES, Limits

LIMITS = Limits(512 << 20)
BODY = bytes(range(256)) * 400


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "aws-chunked,gzip"])
def test_gzip_is_decompressed(encoding: str) -> None:
    assert decompress(gzip.compress(BODY), encoding, LIMITS) == BODY


@pytest.mark.parametrize("encoding", ["", "aws-chunked", "br"])
def test_content_without_the_label_gzip_is_unchanged(encoding: str) -> None:
    packed = gzip.compress(BODY)
    assert decompress(packed, encoding, LIMITS) is packed


def test_a_wrong_label_is_ignored() -> None:
    assert decompress(BODY, "gzip", LIMITS) is BODY


def test_a_gzip_bomb_is_rejected_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(bytes(1 << 24))
    with pytest.raises(RejectedError) as caught:
        decompress(bomb, "gzip", Limits(RUNTIME_BYTES + (20 << 20)))
    assert caught.value.reason is Reason.TOO_LARGE
    assert decompress(bomb, "gzip", LIMITS) == bytes(1 << 24)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (gzip.compress(BODY)[:-9], "the gzip content ends too early"),
        (gzip.compress(BODY)[:10] + b"\xff" * 100, "the gzip content cannot be unpacked: Error -3 .*"),
        (b"\x1f\x8b", "the gzip content ends too early"),
    ],
    ids=["truncated", "damaged", "header only"],
)
def test_damaged_gzip_content_is_rejected(packed: bytes, message: str) -> None:
    with pytest.raises(RejectedError, match=message) as caught:
        decompress(packed, "gzip", LIMITS)
    assert caught.value.reason is Reason.CORRUPT
