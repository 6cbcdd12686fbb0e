"""The chunks of a PNG, read without decoding a pixel: those that matter, the frames of an APNG, and the first rows."""

import contextlib
import io
import itertools
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from errors import MalformedError
from imaging.colour_space import SRGB, SRGB_CURVE, ColourSpace, Curve, describe_unknown, read_codes
from imaging.layers import Disposal, Layer
from imaging.losses import Loss, Lost
from imaging.part_limit import limit_count

SIGNATURE = b"\x89PNG\r\n\x1a\n"

SIZE, HEIGHT = slice(16, 24), slice(20, 24)
"""The width and height in the header, which is the first chunk (PNG specification, 11.2.1)."""

HEADER, HEADER_CHECK = slice(12, 29), slice(29, 33)
"""The header's kind and data, and their checksum."""

DEPTH, COLOUR_TYPE = 24, 25
"""Offsets in the header of the bits a channel, and of the colour type."""

INTERLACE = 28
"""Offset in the header of the interlace method: whether the pixels are stored in seven passes."""

GREY, COLOUR, PALETTE = 0, 2, 3
"""Colour types that can have transparent colours in a ``tRNS`` chunk."""

CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, 4: 2, 6: 4}
"""Channels of each colour type."""

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, column step and row step of each pass (PNG specification, 8.2)."""

ZLIB_HEADER, PIECE = 2, 1 << 14
"""Bytes before the deflated data (RFC 1950), and bytes that are inflated at once, to 16 MiB at most."""

ANCILLARY = 0x20
"""The bit of a kind's first letter that marks a chunk that decoders may skip (PNG specification, 5.4)."""

ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
"""Ancillary chunks that hold the frames of an animation, their number and their timing."""

ONCE = frozenset({b"IHDR", b"PLTE"})
"""Critical chunks that a PNG has once, before its pixels. Decoders disagree about a second one."""

NUMBERS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"cLLI", b"mDCV"})
"""Ancillary chunks that define colours by numbers."""

PIXELS = frozenset({b"tRNS", b"iCCP", b"pHYs", *NUMBERS})
"""Ancillary chunks that define the colours and the shape of pixels. The first of each kind counts, if it comes before
the pixels."""

FRAMES = frozenset({b"IDAT", b"fcTL", b"fdAT"})
"""Chunks that hold pixels, or the position of a frame."""

CONTROL = struct.Struct(">5I2H2B")
"""A frame's number, width, height, left, top, duration as a fraction of seconds, disposal and blending."""

DISPOSALS = {1: Disposal.CLEAR, 2: Disposal.RESTORE}
"""How a frame is disposed of (PNG specification, 11.3.6.2)."""

RGB_FULL_RANGE = bytes([0, 1])
"""The end of a ``cICP`` chunk: no matrix, and values from 0 to the largest (PNG specification, 11.3.2.6)."""

SRGB_GAMMA, GAMMA_TOLERANCE = 2.2, 0.05
"""The exponent that is nearest to sRGB's curve, and how far it may be off: files state 0.45, 0.455 or 0.45455."""

UNIT = 100_000
"""What ``gAMA`` and ``cHRM`` count for 1."""

SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"cLLI": 8, b"mDCV": 24, b"pHYs": 9}
"""Chunks whose data has a fixed size, in bytes."""

PROFILE = re.compile(rb"[^\0]{1,79}\0\0")
"""The start of an ``iCCP`` chunk: the name of the profile, and 0 for deflate (PNG specification, 11.3.2.3)."""

CONTENT_CREDENTIALS = b"caBX"
"""The kind of a chunk that holds a C2PA manifest store (C2PA 2.1, appendix A)."""

TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
"""Chunks that hold a keyword and a text (PNG specification, 11.3.3)."""

TEXTS_READ = (
    b"XML:com.adobe.xmp\0",
    *(b"Raw profile type " + kind + b"\0" for kind in (b"exif", b"iptc", b"8bim", b"xmp")),
)
"""The keywords of XMP, EXIF and IPTC. The first text of each counts."""

MOST_TEXT_BYTES = 8 << 20
"""The longest text or profile, inflated. Pillow refuses an image with a longer one."""


class Chunk(NamedTuple):
    """A part of the file (PNG specification, 5.3).

    Attributes:
        start: Offset of its length, which is followed by kind, data and checksum.
        end: Offset after its checksum; beyond the end of a file that is cut off.

    """

    kind: bytes
    start: int
    end: int


def walk_chunks(png: bytes) -> Iterator[Chunk]:
    """Yield each chunk in order.

    Raises:
        RejectedError: TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    return limit_count(_walk_all_chunks(png))


def _walk_all_chunks(png: bytes) -> Iterator[Chunk]:
    position = len(SIGNATURE)
    while position + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        chunk = Chunk(kind, position, position + length + 12)
        yield chunk
        position = chunk.end


def read_size(png: bytes) -> tuple[int, int]:
    """Return width and height in pixels.

    Raises:
        MalformedError: It has no whole header.

    """
    if len(png) < HEADER_CHECK.stop:
        raise MalformedError("it has no header")
    width, height = struct.unpack(">II", png[SIZE])
    return width, height


class Contents(NamedTuple):
    """The chunks of a PNG that matter.

    Attributes:
        readable: A PNG of the chunks that decide what the image shows, read as browsers read them, and of its metadata.
        losses: Each chunk that was left out although it matters.
        colour: The colour space that numbers define; None if a profile counts, or nothing but sRGB is stated.
        colour_chunks: The numbers that count in a PNG, by kind.
        chunk_count: How many chunks the file has.
        exif: The data of every ``eXIf`` chunk.
        has_content_credentials: Whether a chunk has a C2PA manifest store.

    """

    readable: bytes
    losses: tuple[Loss, ...]
    colour: ColourSpace | None
    colour_chunks: dict[bytes, bytes]
    chunk_count: int
    exif: tuple[bytes, ...]
    has_content_credentials: bool


def read_contents(png: bytes) -> Contents:
    """Separate the chunks that matter from the others.

    Damaged ancillary chunks and texts are left out: Pillow refuses an image for a damaged chunk, and takes a text named
    ``transparency`` for its own entry of that name. Memory: one copy of ``png``.

    Raises:
        MalformedError: It does not begin with a header, has two headers or palettes, lacks a palette that it needs, or
            has something other than chunks before its pixels, or another chunk between them.
        RejectedError: TOO_LARGE: there are more chunks than ``part_limit.MAX_PARTS``.

    """
    if png[HEADER][:4] != b"IHDR" or len(png) < HEADER_CHECK.stop:
        raise MalformedError("it does not begin with a header")
    view, kept = memoryview(png), io.BytesIO()
    kept.write(SIGNATURE)
    seen: set[bytes] = set()
    losses: list[Loss] = []
    exif: list[bytes] = []
    numbers: dict[bytes, bytes] = {}
    count, previous, has_content_credentials = 0, b"", False
    for chunk in walk_chunks(png):
        count += 1
        _check_place(png, chunk, seen, previous)
        previous = chunk.kind
        if not chunk.kind.isalpha():
            # Nothing after the pixels is needed.
            break
        if not _is_wanted(png, chunk, seen):
            has_content_credentials = has_content_credentials or chunk.kind == CONTENT_CREDENTIALS
            continue
        if not _is_sound(png, chunk):
            losses.append(Loss(Lost.DAMAGE, f"the chunk {chunk.kind.decode()} is damaged and was ignored"))
            continue
        seen.add(_find_keyword(png, chunk) or chunk.kind)
        if chunk.kind in NUMBERS:
            numbers[chunk.kind] = png[chunk.start + 8 : chunk.end - 4]
            continue
        if chunk.kind == b"eXIf":
            exif.append(png[chunk.start + 8 : chunk.end - 4])
        kept.write(_convert_key(png, chunk) if chunk.kind == b"tRNS" else view[chunk.start : chunk.end])
    colour, numbers = _choose_colour(numbers, losses, has_profile=not seen.isdisjoint({b"iCCP", b"sRGB"}))
    return Contents(kept.getvalue(), tuple(losses), colour, numbers, count, tuple(exif), has_content_credentials)


def _choose_colour(
    numbers: Mapping[bytes, bytes], losses: list[Loss], *, has_profile: bool
) -> tuple[ColourSpace | None, dict[bytes, bytes]]:
    """Return the colour space that counts, and the chunks that state it (PNG specification, 4.3).

    Codes count more than a profile or sRGB, and these more than gamma and primaries.
    """
    if b"cICP" in numbers:
        colour = _read_codes(numbers)
        if colour:
            return colour, dict(numbers)
        losses.append(Loss(Lost.PROFILE, describe_unknown(*numbers[b"cICP"][:2])))
    usual = {} if has_profile else {kind: numbers[kind] for kind in (b"gAMA", b"cHRM") if kind in numbers}
    return _read_gamma(usual), usual


def _read_codes(numbers: Mapping[bytes, bytes]) -> ColourSpace | None:
    """Return the colour space of the ``cICP`` chunk; None if browsers don't follow it."""
    codes = numbers[b"cICP"]
    if codes[2:] != RGB_FULL_RANGE:
        return None
    peaks = {b"cLLI": slice(4), b"mDCV": slice(16, 20)}
    content, mastering = (
        int.from_bytes(numbers.get(kind, b"")[place], "big") / 10_000 for kind, place in peaks.items()
    )
    return read_codes(codes[0], codes[1], content or mastering)


def _read_gamma(numbers: Mapping[bytes, bytes]) -> ColourSpace | None:
    """Return the colour space of ``gAMA`` and ``cHRM``; None if it is sRGB or impossible. Both are in 1 / 100,000.

    Browsers ignore ``cHRM`` alone.
    """
    gamma = int.from_bytes(numbers.get(b"gAMA", b""), "big")
    if not gamma:
        return None
    srgb = SRGB.white, SRGB.red, SRGB.green, SRGB.blue
    stated = struct.iter_unpack(">II", numbers.get(b"cHRM", b""))
    white, red, green, blue = [(x / UNIT, y / UNIT) for x, y in stated] or srgb
    is_usual = abs(UNIT / gamma - SRGB_GAMMA) < GAMMA_TOLERANCE
    colour = ColourSpace(red, green, blue, white, SRGB_CURVE if is_usual else Curve(UNIT / gamma))
    if is_usual and not colour.is_srgb:
        colour = colour._replace(curve=Curve(UNIT / gamma))
    with contextlib.suppress(MalformedError):
        return colour if colour.make_profile() else None
    return None


def repair_checksum(png: bytes) -> bytes | None:
    """Return the still with the right Adler-32 checksum of its zlib stream; None if more than this checksum is damaged.

    The checksum of every ``IDAT`` chunk must be right, and the stream must hold as many bytes as the header promises.
    So damaged pixels are not accepted. Time: the stream is inflated once, in pieces.
    """
    view, pixels = memoryview(png), [chunk for chunk in walk_chunks(png) if chunk.kind == b"IDAT"]
    if not pixels or not all(_has_checksum(png, chunk) for chunk in pixels):
        return None
    stream = b"".join(view[chunk.start + 8 : chunk.end - 4] for chunk in pixels)
    wanted = _count_filtered_bytes(png, read_size(png))
    inflated = _inflate(stream, wanted)
    if not inflated.is_whole or inflated.byte_count != wanted:
        return None
    whole = make_chunk(b"IDAT", stream[: inflated.end] + inflated.adler.to_bytes(4, "big"))
    return b"".join([view[: pixels[0].start], whole, view[pixels[-1].end :]])


def lacks_rows(png: bytes) -> bool:
    """Tell whether a still holds fewer rows than its header states: Pillow leaves missing rows black.

    Time: the stream is inflated once, in pieces.
    """
    view = memoryview(png)
    stream = b"".join(view[chunk.start + 8 : chunk.end - 4] for chunk in walk_chunks(png) if chunk.kind == b"IDAT")
    wanted = _count_filtered_bytes(png, read_size(png))
    return _inflate(stream, wanted).byte_count < wanted


def read_layers(png: bytes) -> Iterator[Layer]:
    """Yield each frame of an animation as a PNG of its own; the first may be the default image.

    Raises:
        MalformedError: A frame is damaged, out of order, or reaches beyond the canvas.
        RejectedError: TOO_LARGE: there are more chunks than ``part_limit.MAX_PARTS``.

    """
    view = memoryview(png)
    control: bytes | None = None
    parts: list[memoryview] = []
    colours: list[memoryview] = []
    numbers = itertools.count()
    for chunk in walk_chunks(png):
        data = view[chunk.start + 8 : chunk.end - 4]
        if chunk.kind in {b"PLTE", b"tRNS"}:
            colours.append(view[chunk.start : chunk.end])
        elif chunk.kind in FRAMES:
            if not _has_checksum(png, chunk):
                raise MalformedError(f"its chunk {chunk.kind.decode()} is damaged")
            if chunk.kind != b"IDAT" and int.from_bytes(data[:4], "big") != next(numbers):
                raise MalformedError("its frames are out of order")
            if chunk.kind != b"fcTL":
                parts.append(data if chunk.kind == b"IDAT" else data[4:])
                continue
            if parts:
                yield _make_layer(png, control, colours, parts)
            control, parts = bytes(data), []
    if parts:
        yield _make_layer(png, control, colours, parts)


def _make_layer(png: bytes, control: bytes | None, colours: list[memoryview], parts: list[memoryview]) -> Layer:
    """Return the frame of an ``fcTL`` chunk (PNG specification, 11.3.6.2); without one, the default image."""
    canvas = read_size(png)
    if control is None:
        control = CONTROL.pack(0, *canvas, 0, 0, 0, 0, 0, 0)
    if len(control) != CONTROL.size:
        raise MalformedError("a frame's size is damaged")
    _, width, height, left, top, numerator, denominator, disposal, blending = CONTROL.unpack(control)
    if not (0 < width <= canvas[0] - left and 0 < height <= canvas[1] - top):
        raise MalformedError("a frame reaches over the edge")
    header = make_chunk(b"IHDR", struct.pack(">II", width, height) + png[SIZE.stop : HEADER.stop])
    source = b"".join([SIGNATURE, header, *colours, make_chunk(b"IDAT", b"".join(parts)), make_chunk(b"IEND", b"")])
    milliseconds = 1000 * numerator / (denominator or 100)
    return Layer(source, left, top, DISPOSALS.get(disposal, Disposal.KEEP), blending == 1, milliseconds)


class _Inflated(NamedTuple):
    """The content of a zlib stream.

    Attributes:
        byte_count: Length of the inflated data.
        adler: Checksum of the inflated data.
        end: Offset after the deflated data.
        is_whole: Whether the deflated data has an end.

    """

    byte_count: int
    adler: int
    end: int
    is_whole: bool


def _inflate(stream: bytes, most: int) -> _Inflated:
    """Inflate a zlib stream until it ends, is damaged, or exceeds ``most`` bytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    byte_count, adler, end = 0, zlib.adler32(b""), ZLIB_HEADER
    while end < len(stream) and byte_count <= most and not inflater.eof:
        piece = stream[end : end + PIECE]
        try:
            data = inflater.decompress(piece, most + 1 - byte_count)
        except zlib.error:
            break
        byte_count += len(data)
        adler = zlib.adler32(data, adler)
        end += len(piece) - len(inflater.unused_data)
    return _Inflated(byte_count, adler, end, inflater.eof)


def _count_filtered_bytes(png: bytes, sides: tuple[int, int]) -> int:
    """Return the size of a frame before deflation: each row begins with its filter (sections 7.2, 8.2)."""
    width, height = sides
    bits = png[DEPTH] * CHANNELS.get(png[COLOUR_TYPE], 0)
    passes = ADAM7 if png[INTERLACE] else ((0, 0, 1, 1),)
    sizes = [(-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


def _check_place(png: bytes, chunk: Chunk, seen: set[bytes], previous: bytes) -> None:
    """Refuse a chunk that stops decoders before they have all pixels."""
    if b"IDAT" in seen:
        if chunk.kind == b"IDAT" != previous:
            # Decoders stop there (section 5.6): the rest of the image would be missing.
            raise MalformedError("it has another chunk between its IDAT chunks")
        return
    if not chunk.kind.isalpha():
        raise MalformedError(f"{chunk.kind!r} is in the place of a chunk's kind")
    if chunk.kind in ONCE & seen:
        raise MalformedError(f"it has two {chunk.kind.decode()} chunks")
    if chunk.kind == b"IDAT" and png[COLOUR_TYPE] == PALETTE and b"PLTE" not in seen:
        raise MalformedError("it has no palette")


def _is_wanted(png: bytes, chunk: Chunk, seen: set[bytes]) -> bool:
    """Tell whether a chunk matters at its place."""
    if chunk.kind in ONCE & seen:
        return False
    if not chunk.kind[0] & ANCILLARY or chunk.kind in ANIMATION:
        return True
    if chunk.kind in TEXTS:
        keyword = _find_keyword(png, chunk)
        return keyword is not None and keyword not in seen
    if chunk.kind == b"tRNS" and png[COLOUR_TYPE] == PALETTE and b"PLTE" not in seen:
        return False
    is_in_place = chunk.kind == b"eXIf" or (chunk.kind in PIXELS and b"IDAT" not in seen)
    return is_in_place and chunk.kind not in seen


def _find_keyword(png: bytes, chunk: Chunk) -> bytes | None:
    """Return the keyword of a text that is read."""
    keywords = TEXTS_READ if chunk.kind in TEXTS else ()
    return next((keyword for keyword in keywords if png.startswith(keyword, chunk.start + 8)), None)


def _is_sound(png: bytes, chunk: Chunk) -> bool:
    """Tell whether a chunk can be kept: except for pixels, its checksum, size and form must be right."""
    if chunk.kind != b"PLTE" and (not chunk.kind[0] & ANCILLARY or chunk.kind in ANIMATION):
        return True
    size = chunk.end - chunk.start - 12
    least, most, is_formed = 0, size, True
    if chunk.kind in SIZES:
        least = most = SIZES[chunk.kind]
    elif chunk.kind == b"PLTE":
        least = 3
    elif chunk.kind == b"tRNS":
        least, most = {GREY: (2, size), COLOUR: (6, size)}.get(png[COLOUR_TYPE], (1, 256))
    elif chunk.kind == b"iCCP":
        # Pillow refuses an image for a profile that is too long, and is silent about one that is cut off.
        start = PROFILE.match(png, chunk.start + 8, chunk.end - 4)
        is_formed = start is not None and _inflates(png[start.end() : chunk.end - 4])
    elif chunk.kind in TEXTS:
        is_formed = _is_text_sound(chunk.kind, png[chunk.start + 8 : chunk.end - 4])
    return is_formed and least <= size <= most and _has_checksum(png, chunk)


def _is_text_sound(kind: bytes, data: bytes) -> bool:
    """Tell whether Pillow reads a text: it refuses an image for one that is compressed in another way, or too long."""
    _, _, rest = data.partition(b"\0")
    if kind == b"zTXt":
        return rest.startswith(b"\0") and _inflates(rest[1:])
    if kind == b"iTXt":
        # Whether it is compressed, and the method; then its language and its translated keyword.
        *_, text = parts = rest[2:].split(b"\0", 2)
        is_plain = rest.startswith(b"\0")
        return len(parts) == 3 and (is_plain or (rest[1:2] == b"\0" and _inflates(text)))
    return True


def _inflates(stream: bytes) -> bool:
    inflating = zlib.decompressobj()
    with contextlib.suppress(zlib.error):
        inflating.decompress(stream, MOST_TEXT_BYTES)
    return inflating.eof


def _has_checksum(png: bytes, chunk: Chunk) -> bool:
    view, check = memoryview(png), chunk.end - 4
    return zlib.crc32(view[chunk.start + 4 : check]) == int.from_bytes(view[check : chunk.end], "big")


def _convert_key(png: bytes, chunk: Chunk) -> bytes:
    """Return the ``tRNS`` chunk with levels from 0 to 255, as Pillow compares them; nothing if no pixel can have them.

    Only the low byte counts for pixels of up to eight bits, as in Chromium.
    """
    data, depth, colour_type = png[chunk.start + 8 : chunk.end - 4], png[DEPTH], png[COLOUR_TYPE]
    if colour_type not in {GREY, COLOUR} or depth > 8:
        return make_chunk(b"tRNS", data)
    highest, levels = (1 << depth) - 1, data[1 : 6 if colour_type == COLOUR else 2 : 2]
    if max(levels) > highest:
        return b""
    return make_chunk(b"tRNS", b"".join(struct.pack(">H", 255 * level // highest) for level in levels))


def make_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and its checksum."""
    return struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def insert(png: bytes, chunks: Mapping[bytes, bytes]) -> bytes:
    """Insert chunks behind the header of a PNG."""
    inserted = (make_chunk(kind, data) for kind, data in chunks.items())
    return b"".join([png[: HEADER_CHECK.stop], *inserted, png[HEADER_CHECK.stop :]]) if chunks else png


def check_whole(png: bytes) -> None:
    """Refuse a body that is not exactly one PNG.

    Raises:
        MalformedError: A checksum is wrong, or the body does not begin or end as a PNG does.

    """
    end, last = 0, b""
    for chunk in walk_chunks(png) if png.startswith(SIGNATURE) else ():
        end, last = chunk.end, chunk.kind
        if not _has_checksum(png, chunk):
            raise MalformedError(f"its chunk {last.decode('latin-1')} is damaged")
    if last != b"IEND" or end != len(png):
        raise MalformedError("it does not end as a PNG does")


def take_first_rows(png: bytes, height: int) -> bytes:
    """Return a PNG of the top rows of a whole PNG."""
    lower = bytearray(png)
    lower[HEIGHT] = height.to_bytes(4, "big")
    lower[HEADER_CHECK] = zlib.crc32(lower[HEADER]).to_bytes(4, "big")
    return bytes(lower)
