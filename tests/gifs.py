"""GIFs written block by block, with disposals, palettes and gaps that Pillow does not write."""

import struct
from collections.abc import Iterable

RED, GREEN, BLUE, BLACK = range(4)
PALETTE = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0])


def frame(
    box: tuple[int, int, int, int],
    entry: int,
    *,
    delay: int = 10,
    disposal: int = 1,
    transparent: int | None = None,
    local: bytes = b"",
    is_interlaced: bool = False,
) -> bytes:
    """Return a frame filled with one entry of a palette of four; ``box`` is left, top, width and height."""
    left, top, width, height = box
    control = struct.pack("<BHB", disposal << 2 | (transparent is not None), delay, transparent or 0)
    # Uncompressed: a clear code before every pixel.
    codes = [code for _ in range(width * height) for code in (4, entry)] + [5]
    data = sum(code << 3 * place for place, code in enumerate(codes)).to_bytes(-(-3 * len(codes) // 8), "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    flags = (0x81 if local else 0) | (0x40 if is_interlaced else 0)
    image = b"\x2c" + struct.pack("<HHHHB", left, top, width, height, flags) + local + b"\x02" + blocks + b"\0"
    return b"\x21\xf9\x04" + control + b"\0" + image


def gif(
    frames: Iterable[bytes],
    screen: tuple[int, int] = (40, 40),
    *,
    loop: int | None = None,
    colours: bytes = PALETTE,
    extra: bytes = b"",
    trailer: bytes = b"\x3b",
) -> bytes:
    """Return a GIF with ``extra`` between its header and its frames."""
    repeats = b"" if loop is None else b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0"
    header = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81 if colours else 0, 0, 0)
    return header + colours + repeats + extra + b"".join(frames) + trailer
