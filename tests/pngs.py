"""PNGs of every colour type and depth, written chunk by chunk: Pillow writes few of them, and no damaged ones."""

import struct
import zlib
from typing import Any

import numpy as np

Samples = np.ndarray[Any, np.dtype[Any]]
"""Axes height, width and channel; levels from 0 to the maximum of the depth."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, data: bytes = b"", *, damage: int = 0) -> bytes:
    """Return a chunk; ``damage`` is XORed with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ damage)


def header(samples: Samples, colour_type: int, depth: int, *, interlaced: bool = False) -> bytes:
    height, width, _ = samples.shape
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced))


def filter_rows(samples: Samples, depth: int, *, interlaced: bool = False) -> bytes:
    """Return the rows before compression: each begins with filter 0, and samples below 8 bits are packed."""
    parts = []
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        rows = samples[top::down, left::across]
        if rows.size:
            values = rows.reshape(len(rows), -1)
            bits = (values[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
            packed = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
            parts += [b"\0" + row.tobytes() for row in packed]
    return b"".join(parts)


def png(
    samples: Samples,
    colour_type: int,
    depth: int,
    *,
    interlaced: bool = False,
    before: bytes = b"",
    stream: bytes | None = None,
    end: bytes | None = None,
) -> bytes:
    """Return a PNG with ``before`` in front of the pixels, and another zlib stream or end if they are given."""
    stream = zlib.compress(filter_rows(samples, depth, interlaced=interlaced)) if stream is None else stream
    end = chunk(b"IEND") if end is None else end
    start = SIGNATURE + header(samples, colour_type, depth, interlaced=interlaced)
    return start + before + chunk(b"IDAT", stream) + end


def blocks(colour_type: int, depth: int, *, side: int = 8) -> Samples:
    """Return four by three blocks of random samples."""
    levels = np.random.default_rng(10 * colour_type + depth).integers(0, 1 << depth, (3, 4, CHANNELS[colour_type]))
    return np.kron(levels, np.ones((side, side, 1), int))


def key(levels: Samples) -> bytes:
    """Return the tRNS chunk that makes one grey level or colour transparent."""
    return chunk(b"tRNS", levels.astype(">u2").tobytes())
