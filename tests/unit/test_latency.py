"""The benchmark of the latency from an upload to its output."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.images import encode, picture
from tools.benchmarks import latency, usual_handler
from tools.benchmarks.latency import Latency


def test_percentiles() -> None:
    values = tuple(float(value) for value in range(101))
    assert [latency.find_percentile(values, percent) for percent in (1, 50, 99)] == pytest.approx([1, 50, 99])
    assert latency.find_percentile((2.0, 1.0), 50) == pytest.approx(1.5)


def test_the_table_compares_medians_of_equal_starts() -> None:
    found = Latency(
        {
            "ours": {"warm": (0.1, 0.2, 0.3), "cold": (0.5, 0.5, 0.5)},
            "usual": {"warm": (0.4, 0.4, 0.4), "cold": (2, 2, 2)},
        }
    )
    (table,) = found.tables()
    assert table.rows == (
        ("ours", "warm", "3", "200", "298", "0.50"),
        ("usual", "warm", "3", "400", "400", "1.00"),
        ("ours", "cold", "3", "500", "500", "0.25"),
        ("usual", "cold", "3", "2000", "2000", "1.00"),
    )


class Bucket:
    """An S3 client that reads one object, and keeps what is uploaded."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.uploads: dict[tuple[str, str], bytes] = {}

    def download_file(self, bucket: str, key: str, path: str) -> None:
        assert (bucket, key) == ("in", "a b/photo.jpg")
        Path(path).write_bytes(self._body)

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.uploads[bucket, key] = Path(path).read_bytes()


def test_the_usual_handler_halves_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(encode(picture(64, 48)))
    monkeypatch.setattr(usual_handler, "s3", bucket)
    monkeypatch.setenv("DESTINATION_BUCKET", "out")
    record: dict[str, Any] = {"s3": {"bucket": {"name": "in"}, "object": {"key": "a+b/photo.jpg"}}}
    usual_handler.handler({"Records": [record]}, None)
    with Image.open(io.BytesIO(bucket.uploads["out", "resized-a b/photo.jpg"])) as image:
        assert (image.format, image.size) == ("JPEG", (32, 24))
