"""Measure the curves of `equal.py`: each contestant encodes each image with each setting, and SSIMULACRA2 scores it."""

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tools.benchmarks import drawings
from tools.benchmarks.equal import Curve, Point
from tools.benchmarks.job import Job, Wanted
from tools.benchmarks.judge import resize_exactly
from tools.benchmarks.measure import FailedError, Worker, make_directory, read_outputs
from tools.benchmarks.peers import Peer
from tools.benchmarks.photos import Photographer
from tools.benchmarks.rows import ASTRONAUT, CHELSEA, COFFEE, QUICK_DIVISOR, Row
from tools.imaging.ssimulacra2 import score

SETTINGS = {"JPEG": (50, 60, 70, 80, 90), "WEBP": (50, 60, 70, 80, 90), "AVIF": (40, 50, 60, 70, 80)}
"""The qualities of each format."""

ENCODERS = frozenset({"ours", "usual", "sharp", "pyvips", "thumbor"})
"""The contestants that write these formats."""

SIZE = (2048, 1376)
"""Of each source; the outputs have 0.7 MP."""

SOURCES = (
    Row("curve-coffee", "photo", "JPEG", SIZE, COFFEE, {}),
    Row("curve-astronaut", "photo", "JPEG", SIZE, ASTRONAUT, {}),
    Row("curve-chelsea", "photo", "JPEG", SIZE, CHELSEA, {}),
    Row("curve-screenshot", "screenshot", "PNG", SIZE, drawings.screenshot, {}),
    Row("curve-chart", "chart", "PNG", SIZE, drawings.chart, {}),
)
"""Their titles are their kinds."""


@dataclass(frozen=True)
class Encoding:
    """One curve to measure.

    Attributes:
        row: The image.
        source: Its file.
        reference: The source in the size of the outputs.
        format: Pillow's name.
        peer: The contestant.

    """

    row: Row
    source: Path
    reference: Image.Image
    format: str
    peer: Peer

    def measure(self, folder: Path) -> Curve:
        """Encode with each setting, and score the outputs.

        Raises:
            FailedError: The contestant can't write the format.

        """
        points = tuple(self._measure_setting(folder, setting) for setting in SETTINGS[self.format])
        return Curve(self.format, self.row.title, self.row.name, self.peer.name, points)

    def _measure_setting(self, folder: Path, setting: int) -> Point:
        wanted = Wanted(self.format, *self.reference.size, scale=0.5)
        directory = make_directory(folder / "runs" / self.row.name / f"{self.peer.name}-{self.format}-{setting}")
        job = Job(str(self.source), str(directory), (wanted,), quality=setting)
        with Worker.started(self.peer, job) as worker:
            worker.run()
        (body,) = read_outputs(job)
        with Image.open(io.BytesIO(body)) as image:
            if image.format != self.format:
                raise FailedError(f"{self.peer.name} wrote {image.format} instead of {self.format}")
            return Point(setting, len(body), score(self.reference, image.convert("RGB")))


def measure(
    folder: Path, photograph: Photographer, peers: Sequence[Peer], say: Callable[[str], None], *, quick: bool
) -> tuple[Curve, ...]:
    """Measure every curve. CPU is not measured here, so the machine's cores share the work.

    Raises:
        FailedError: A contestant that is installed can't write one of the formats.

    """
    divisor = QUICK_DIVISOR if quick else 1
    encodings = []
    for row in (replace(one, size=(SIZE[0] // divisor, SIZE[1] // divisor)) for one in SOURCES):
        source = row.source(folder / "inputs", photograph)
        reference = make_reference(source)
        encodings += [
            Encoding(row, source, reference, image_format, peer)
            for image_format in SETTINGS
            for peer in peers
            if peer.name in ENCODERS and not peer.missing
        ]
    say(f"Measuring bytes and SSIMULACRA2: {len(encodings)} curves")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        curves = list(pool.map(lambda one: one.measure(folder), encodings))
    order = list(SETTINGS)
    return tuple(sorted(curves, key=lambda one: order.index(one.format)))


def make_reference(source: Path) -> Image.Image:
    """Return an image at half size, resized as `judge.py` does and rounded."""
    with Image.open(source) as image:
        size = image.width // 2, image.height // 2
        exact = resize_exactly(image.convert("RGBA"), size)
    return Image.fromarray(np.uint8(np.rint(exact[..., :3])))
