"""The limit for a JPEG: libjpeg-turbo's own programs, ``djpeg -scale 1/2 | cjpeg``.

The figures include the start of both processes and the pipe between them.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.benchmarks.job import Job

SAMPLE = {"4:2:0": "2x2", "4:4:4": "1x1"}
"""Chroma subsampling in ``cjpeg``'s notation."""


def prepare(job: Job, _: bytes) -> Callable[[], list[bytes]]:
    """Return both commands; they read and write files, so that no bytes pass through Python."""
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
