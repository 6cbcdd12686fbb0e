"""The measurement of the benchmark's curves."""

from pathlib import Path

import pytest
from PIL import Image

from tests.images import encode, picture
from tools.benchmarks import curves
from tools.benchmarks.measure import FailedError
from tools.benchmarks.peers import Peer, python_peer
from tools.benchmarks.photos import Size

PEERS = (
    *(python_peer(name, "") for name in ("ours", "usual", "parts")),
    Peer("sharp", missing="not installed: it needs node and npm"),
)


def photograph(_: str, size: Size) -> Image.Image:
    """Stand in for a photograph, which would be downloaded."""
    return picture(*size)


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a photograph and a drawing in small, and two settings of one format."""
    monkeypatch.setattr(curves, "SOURCES", (curves.SOURCES[0], curves.SOURCES[-1]))
    monkeypatch.setattr(curves, "SETTINGS", {"WEBP": (20, 90)})
    monkeypatch.setattr(curves, "SIZE", (640, 480))


@pytest.mark.usefixtures("sources")
def test_every_encoder_has_a_curve_for_each_image(tmp_path: Path) -> None:
    found = curves.measure(tmp_path, photograph, PEERS, lambda _: None, quick=True)
    assert [(one.format, one.kind, one.peer) for one in found] == [
        ("WEBP", kind, peer) for kind in ("photo", "chart") for peer in ("ours", "usual")
    ]
    for one in found:
        low, high = one.points
        assert (low.setting, high.setting) == (20, 90)
        assert low.bytes < high.bytes
        assert low.score < high.score


def test_an_output_of_another_format_is_no_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source.jpeg"
    source.write_bytes(encode(picture(64, 48)))
    reference = curves.make_reference(source)
    assert reference.size == (32, 24)
    monkeypatch.setattr(curves, "read_outputs", lambda _: [encode(reference, "PNG")])
    encoding = curves.Encoding(curves.SOURCES[0], source, reference, "JPEG", PEERS[1])
    with pytest.raises(FailedError, match=r"^usual wrote PNG instead of JPEG$"):
        encoding.measure(tmp_path)
