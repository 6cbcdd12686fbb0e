"""The limit for a JPEG: libjpeg-turbo's own programs, ``djpeg -scale 1/2 | cjpeg``.

They are two processes with a pipe between them, and what that costs is in their figures: nothing is subtracted.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks.job import Job

SAMPLE = {"4:2:0": "2x2", "4:4:4": "1x1"}
"""Chroma subsampling as ``cjpeg`` writes it."""


def prepare(job: Job, _: bytes) -> Callable[[], list[bytes]]:
    """Name the two commands; they read and write files, so that Python's own work is not between them."""
    target = Path(job.directory) / "limit.jpg"
    decode = ["djpeg", "-scale", "1/2", job.source]
    sample = SAMPLE[job.subsampling]
    encode = ["cjpeg", "-quality", str(job.quality), "-sample", sample, "-outfile", str(target)]

    def work() -> list[bytes]:
        with subprocess.Popen(decode, stdout=subprocess.PIPE) as decoder:
            subprocess.run(encode, stdin=decoder.stdout, check=True)
        if decoder.returncode:
            raise subprocess.CalledProcessError(decoder.returncode, decode)
        return [target.read_bytes()]

    return work
