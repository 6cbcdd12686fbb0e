"""Write TIFFs: without Pillow and libtiff, in any encoding; with Pillow, of several pages."""

import contextlib
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from PIL import Image

with contextlib.suppress(ImportError):
    # Only tools/requirements/judges.txt installs it. Uncompressed TIFFs do not need it.
    import imagecodecs

Samples = np.ndarray[Any, np.dtype[Any]]

NONE, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD, WEBP = 1, 5, 7, 8, 32773, 32946, 34925, 50000, 50001
"""Compressions (TIFF 6.0, section 8, and libtiff's own)."""

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
"""Photometric interpretations (TIFF 6.0, section 8)."""

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
"""Sample formats (TIFF 6.0, section 19)."""

PREDICTABLE = frozenset({LZW, DEFLATE, OLD_DEFLATE, ZSTD, LZMA})
"""Compressions that allow a predictor."""

ENCODERS = {
    LZW: "lzw_encode",
    DEFLATE: "zlib_encode",
    OLD_DEFLATE: "zlib_encode",
    LZMA: "lzma_encode",
    ZSTD: "zstd_encode",
}
"""Compression to function of imagecodecs."""

KINDS = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}


@dataclass(frozen=True)
class Kind:
    """The encoding of the samples.

    Attributes:
        extra: The meaning of each sample after those of the photometric interpretation: 0 unspecified, 1 premultiplied
            alpha, 2 alpha.
        predictor: 1 none, 2 horizontal differences, 3 horizontal differences of floats.
        order: ``<`` or ``>``.
        tile: The side of a tile in pixels; 0 for strips.
        rows: Rows in a strip.
        tags: More tags: number to type and values; the type ``2L`` is a fraction.

    """

    bits: int
    photometric: int = MIN_IS_BLACK
    sample_format: int = UNSIGNED
    extra: tuple[int, ...] = ()
    planar: int = 1
    compression: int = NONE
    predictor: int = 1
    order: Literal["<", ">"] = "<"
    tile: int = 0
    rows: int = 16
    tags: Mapping[int, tuple[str, Sequence[int]]] = field(default_factory=dict)


def tiff(samples: Samples, kind: Kind) -> bytes:
    """Return a TIFF of one page; ``samples`` has the axes height, width and channel."""
    height, width, count = samples.shape
    layers = [samples] if kind.planar == 1 else [samples[..., [layer]] for layer in range(count)]
    segments = [_compress(part, kind) for layer in layers for part in _split(layer, kind)]
    tags: dict[int, tuple[str, Sequence[int]]] = {
        256: ("L", [width]),
        257: ("L", [height]),
        258: ("H", count * [kind.bits]),
        259: ("H", [kind.compression]),
        262: ("H", [kind.photometric]),
        277: ("H", [count]),
        284: ("H", [kind.planar]),
        **({322: ("H", [kind.tile]), 323: ("H", [kind.tile])} if kind.tile else {278: ("L", [kind.rows])}),
        (325 if kind.tile else 279): ("L", [len(segment) for segment in segments]),
        **({317: ("H", [kind.predictor])} if kind.predictor != 1 else {}),
        **({338: ("H", kind.extra)} if kind.extra else {}),
        **({339: ("H", count * [kind.sample_format])} if kind.sample_format != UNSIGNED else {}),
        **kind.tags,
    }
    body = bytearray(8)
    offsets = []
    for segment in segments:
        offsets.append(len(body))
        body += segment + bytes(len(segment) % 2)
    tags[324 if kind.tile else 273] = ("L", offsets)
    directory = b""
    for tag, (code, values) in sorted(tags.items()):
        data = struct.pack(f"{kind.order}{len(values)}{code[-1]}", *values)
        if len(data) > 4:
            offset = struct.pack(f"{kind.order}L", len(body))
            body += data + bytes(len(data) % 2)
            data = offset
        number = {"B": 1, "H": 3, "L": 4, "2L": 5}[code]
        directory += struct.pack(f"{kind.order}HHL4s", tag, number, len(values) // len(code), data)
    body[:8] = struct.pack(f"{kind.order}2sHL", b"II" if kind.order == "<" else b"MM", 42, len(body))
    return bytes(body + struct.pack(f"{kind.order}H", len(tags)) + directory + bytes(4))


def encode_pages(*pages: tuple[Image.Image, dict[str, Any]]) -> bytes:
    """Return a TIFF that Pillow writes, from the image and the options of each page."""
    target = io.BytesIO()
    for image, options in pages:
        image.encoderinfo = options
    images = [image for image, _ in pages]
    images[0].save(target, "TIFF", save_all=True, append_images=images[1:])
    return target.getvalue()


def _split(layer: Samples, kind: Kind) -> Iterator[Samples]:
    """Yield the strips, or the tiles, which are padded at the edges."""
    side = kind.tile
    for top in range(0, len(layer), side or kind.rows):
        if not side:
            yield layer[top : top + kind.rows]
            continue
        for left in range(0, layer.shape[1], side):
            part = layer[top : top + side, left : left + side]
            yield np.pad(part, ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0)))


def _compress(part: Samples, kind: Kind) -> bytes:
    if kind.compression == JPEG:
        # Equal colour spaces on both sides: imagecodecs then converts nothing.
        space = {1: "GRAYSCALE", 3: "YCBCR" if kind.photometric == YCBCR else "RGB", 4: "CMYK"}[part.shape[2]]
        return bytes(
            imagecodecs.jpeg8_encode(
                np.uint8(part).squeeze(), level=98, colorspace=space, outcolorspace=space, subsampling="444"
            )
        )
    if kind.compression == WEBP:
        return bytes(imagecodecs.webp_encode(np.uint8(part), lossless=True))
    data = _pack(part, kind)
    if kind.compression == PACKBITS:
        # Each row is packed alone (TIFF 6.0, section 9).
        size = len(data) // len(part)
        return b"".join(imagecodecs.packbits_encode(data[at : at + size]) for at in range(0, len(data), size))
    if kind.compression in ENCODERS:
        return bytes(getattr(imagecodecs, ENCODERS[kind.compression])(data))
    return data


def _pack(part: Samples, kind: Kind) -> bytes:
    """Return rows of bits, each padded to a whole byte, or numbers in the file's byte order."""
    height = len(part)
    if kind.bits % 8 or kind.bits == 24:
        shifts = np.arange(kind.bits - 1, -1, -1)
        bits = (part.astype(np.uint32)[..., None] >> shifts) & 1
        return np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    values = part.astype(f"{KINDS[kind.sample_format]}{kind.bits // 8}")
    if kind.predictor == 2:
        values = values.copy()
        as_integers = values.view(f"u{kind.bits // 8}")
        as_integers[:, 1:] = as_integers[:, 1:] - as_integers[:, :-1]
    if kind.predictor == 3:
        return bytes(imagecodecs.floatpred_encode(values.astype(f"{kind.order}f{kind.bits // 8}"), axis=1).tobytes())
    return values.astype(values.dtype.newbyteorder(kind.order)).tobytes()
