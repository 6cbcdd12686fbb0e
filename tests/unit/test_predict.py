"""Predictions: an image that would take too much memory or time is rejected before a pixel is decoded."""

import itertools
import math
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageFile

from errors import Reason, RejectedError
from imaging import decode
from imaging.decode import Picture
from imaging.encode import written_format
from imaging.formats import ENCODERS, avif_boxes, inspect, png_chunks
from imaging.formats.tiff_directories import walk_pages
from imaging.limits import Clock, Limits
from imaging.predict import Demand, predict
from imaging.records import Job
from imaging.render import render
from renditions import Rendition
from tests.images import encode, picture, segment
from tests.pngs import SIGNATURE, chunk
from tests.unit.rendering import LIMITS

MIB = 1 << 20
HALF = Rendition("half", scale=0.5)


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if Pillow opens a file."""
    monkeypatch.setattr(decode, "_open", lambda _: pytest.fail("a file was opened"))


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if a pixel is decoded."""

    def load(*_: object) -> None:
        pytest.fail("a pixel was decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


def rejection(source: bytes, limits: Limits = LIMITS, **options: Any) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        render(source, options.pop("renditions", [HALF]), limits=limits, **options)
    return caught.value


def predict_demand(source: bytes, *renditions: Rendition) -> Demand:
    opened = Picture(inspect(source))
    opened.shrink_on_load(1)
    return predict(opened, renditions, [ENCODERS[written_format(opened, rendition)] for rendition in renditions])


def png(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


def jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    """Return a small JPEG whose header claims another size."""
    source = bytearray(encode(picture(64, 64), progressive=progressive))
    marker = source.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    source[marker + 5 : marker + 9] = struct.pack(">HH", height, width)
    return bytes(source)


def webp(side: int, kind: bytes) -> bytes:
    """Return a small WebP whose header claims a square."""
    animation: dict[str, Any] = {"save_all": True, "append_images": [picture(64, 64).rotate(9)], "duration": 9}
    options = {b"VP8 ": {}, b"VP8L": {"lossless": True}, b"VP8X": animation}[kind]
    source = bytearray(encode(picture(64, 64), "WEBP", **options))
    offset = source.index(kind) + 8
    if kind == b"VP8 ":
        source[offset + 6 : offset + 10] = struct.pack("<HH", side, side)
    elif kind == b"VP8L":
        source[offset + 1 : offset + 5] = struct.pack("<I", (side - 1) << 14 | side - 1)
    else:
        source[offset + 4 : offset + 10] = (side - 1).to_bytes(3, "little") * 2
    return bytes(source)


def set_size(source: bytes, side: int) -> bytes:
    """Return the AVIF with boxes that claim a square."""
    offset = source.index(b"ispe") + 8
    return source[:offset] + struct.pack(">II", side, side) + source[offset + 8 :]


def avif(side: int) -> bytes:
    return set_size(encode(picture(64, 64), "AVIF"), side)


def apng(count: int) -> bytes:
    """Return two frames whose header claims another number."""
    frames = [picture(64, 64), picture(64, 64).rotate(9)]
    source = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    offset = source.index(b"acTL") - 4
    return source[:offset] + chunk(b"acTL", struct.pack(">II", count, 0)) + source[offset + 20 :]


def tiff(sides: Iterator[int]) -> bytes:
    """Return square pages without a pixel."""
    directories = []
    for side in sides:
        tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side, 279: side * side}
        directories.append([struct.pack("<HHII", tag, 4, 1, value & 0xFFFFFFFF) for tag, value in tags.items()])
    length = 2 + 12 * 9 + 4
    body = b"II*\0\x08\0\0\0"
    for number, directory in enumerate(directories):
        following = 8 + length * (number + 1) if number + 1 < len(directories) else 0
        body += struct.pack("<H", 9) + b"".join(directory) + struct.pack("<I", following)
    return body


def gif(screen: tuple[int, int], count: int) -> bytes:
    """Return frames of one pixel each."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81, 0, 0) + bytes(range(12)) + count * frame + b"\x3b"


def bmp(width: int, height: int, header: int = 40) -> bytes:
    sides = struct.pack("<ii", width, height) if header == 40 else struct.pack("<HH", width, height)
    start = struct.pack("<I", header) + sides + struct.pack("<HH", 1, 24)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + header) + start.ljust(header, b"\0") + bytes(99)


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize(
    "source",
    [
        webp(16383, b"VP8 "),
        webp(16383, b"VP8L"),
        webp(16384, b"VP8X"),
        avif(16000),
        apng(1_000_000),
        apng(0x7FFFFFFF),
        tiff(itertools.repeat(1000, 2000)),
        tiff(iter([8, 8, 46000])),
        tiff(iter([0xFFFFFFFF])),
        png(20000, 18000),
        png(0x7FFFFFFF, 1),
        png(46000, 46000),
        jpeg(65000, 65000),
        jpeg(40000, 40000, progressive=True),
        tiff(iter([30000])),
        tiff(iter([30000]))[:-4],
        gif((500, 500), 10_000),
        gif((65535, 65535), 1),
        bmp(30000, 30000),
        bmp(30000, -30000),
        bmp(65535, 65535, header=12),
        bmp(0x7FFFFFFF, 0x7FFFFFFF),
        bmp(46000, 46000)[14:],
    ],
    ids=lambda source: f"{source[:4].decode('latin-1')}-{len(source)}",
)
def test_a_header_that_claims_too_much_is_rejected_before_decoding(source: bytes) -> None:
    error = rejection(source)
    assert error.reason is Reason.TOO_LARGE
    assert error.message.startswith("resizing needs about ")
    assert "this function has 1649 MiB" in error.message


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (avif(65535), "AVIF"),
        (encode(picture(64, 64), "AVIF")[:200], "AVIF"),
        (encode(picture(64, 64), "PNG")[:30], "PNG"),
        (encode(picture(64, 64), "PNG").replace(b"IHDR", b"XHDR"), "PNG"),
        (encode(picture(64, 64), "TIFF")[:9], "TIFF"),
        (gif((8, 8), 0), "GIF"),
        (bmp(0, 9), "BMP"),
    ],
)
def test_a_damaged_header_is_corrupt_and_its_format_named(source: bytes, name: str) -> None:
    error = rejection(source)
    assert error.reason is Reason.CORRUPT
    assert error.message.startswith(f"the {name} header is damaged or not supported")


def tagged_tiff(*entries: tuple[int, int, int, int], data: bytes = b"", big: bool = False) -> bytes:
    """Return a page of 16 pixels a side with additional tags: number, type, count, and value or offset."""
    pixels = zlib.compress(bytes(16 * 16 * 3))
    values = {256: 16, 257: 16, 258: 8, 259: 8, 262: 2, 273: 0, 277: 3, 278: 16, 279: len(pixels)}
    length = len(values) + len(entries)
    start = 16 + 8 + 20 * length + 8 if big else 8 + 2 + 12 * length + 4
    values[273] = start
    rows = [*entries, *((tag, 4, 1, value) for tag, value in values.items())]
    tags = b"".join(struct.pack("<HHQQ" if big else "<HHLL", *row) for row in sorted(rows, key=lambda row: row[0]))
    header = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, length) if big else b"II*\0" + struct.pack("<LH", 8, length)
    return header + tags + bytes(8 if big else 4) + pixels + data


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    "tile",
    [
        [(322, 4, 1, 16384), (323, 4, 1, 16384)],
        [(322, 3, 1, 16384), (323, 3, 1, 16384)],
        [(322, 4, 1, 16384), (322, 4, 1, 16), (323, 4, 1, 16), (323, 4, 1, 16384)],
    ],
)
def test_a_small_tiff_of_large_tiles_is_rejected(tile: list[tuple[int, int, int, int]], big: bool) -> None:
    # Measured: a file of 783 KB took 805 MB.
    error = rejection(tagged_tiff(*tile, big=big), Limits(900 * MIB))
    assert (error.reason, error.message[:20]) == (Reason.TOO_LARGE, "resizing needs about")


def test_a_strip_may_have_more_rows_than_the_image() -> None:
    source = tagged_tiff().replace(struct.pack("<HHLL", 278, 4, 1, 16), struct.pack("<HHLL", 278, 4, 1, 0xFFFFFFFF))
    (output,) = render(source, [HALF], limits=Limits(150 * MIB)).outputs
    assert (output.width, output.height) == (8, 8)


def overlapping_directories() -> bytes:
    """Return directories of 65,535 entries that begin 4 bytes apart."""
    body = bytearray(b"II*\0\x08\0\0\0" + bytes(800_000))
    for offset in range(8, 208, 4):
        struct.pack_into("<H", body, offset, 0xFFFF)
        struct.pack_into("<L", body, offset + 2 + 12 * 0xFFFF, offset + 4)
    return bytes(body)


@pytest.mark.usefixtures("unopened")
@pytest.mark.parametrize(
    "source",
    [tiff(itertools.repeat(1, 2001)), tiff(itertools.repeat(1, 40_000)), overlapping_directories()],
    ids=["2001", "40000", "overlapping"],
)
def test_a_tiff_of_too_many_pages_is_not_opened(source: bytes) -> None:
    error = rejection(source)
    assert error.reason is Reason.TOO_LARGE
    assert error.message == "the file has more than 2000 pages or 200000 tags: split it"


@pytest.mark.parametrize(
    ("big", "offset", "following", "tags"),
    [
        *((False, 8 + 2 + 12 * 9, following, [9]) for following in (8, 7_000_000)),
        *((True, 8, following, []) for following in (1 << 20, 1 << 62, (1 << 64) - 1)),
        *((True, 16 + 8 + 20 * 9, following, [9]) for following in (1 << 20, 1 << 62, (1 << 64) - 1)),
    ],
)
def test_a_loop_or_an_offset_beyond_the_file_ends_the_directories(
    big: bool, offset: int, following: int, tags: list[int]
) -> None:
    source = bytearray(tagged_tiff(big=big))
    struct.pack_into("<Q" if big else "<L", source, offset, following)
    assert [page.tags for page in walk_pages(bytes(source))] == tags


def test_a_big_endian_bigtiff_is_not_read_as_a_tiff() -> None:
    # Pillow reads the first four bytes after the signature as the offset of the first directory.
    values = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 1}
    tags = b"".join(struct.pack(">HHLL", tag, 4, 1, value) for tag, value in values.items())
    source = b"MM\0+" + struct.pack(">L", 0x80000)
    padded = source.ljust(0x80000, b"\0") + struct.pack(">H", len(values)) + tags + bytes(4)
    assert rejection(padded).message == "the TIFF header is damaged or not supported"


def insert(source: bytes, offset: int, *parts: bytes) -> bytes:
    return source[:offset] + b"".join(parts) + source[offset:]


PNG, JPEG = (encode(picture(16, 16), image_format) for image_format in ("PNG", "JPEG"))
EXIF = b"Exif\0\0"


@pytest.mark.usefixtures("unopened")
@pytest.mark.parametrize(
    ("source", "seconds"),
    [
        # The seconds that Pillow takes to open the file were measured on one core.
        (insert(JPEG, 2, segment(0xE5) * 40_000), 0.1),
        (insert(JPEG, 2, b"\xff" * 2_000_000), 1),
        (insert(JPEG, JPEG.index(b"\xff\xda"), b"\xff" * 2_000_000), 1),
        (insert(JPEG, 2, b"\xff\xd9" * 49_000), 0.05),
        (insert(JPEG, 2, segment(0xE5), bytes(2_000_000)), 0.5),
        (insert(JPEG, 2, segment(0xDB, (b"\0" + bytes([16] * 64)) * 1000) * 30), 0.3),
        (insert(JPEG, 2, segment(0xED, b"Photoshop 3.0\0" + (b"8BIM\4\4" + bytes(6)) * 5000) * 30), 0.15),
        (insert(JPEG, 2, segment(0xC0, b"\x08\0\x10\0\x10\x03" + bytes(65_000)) * 30), 0.15),
        (insert(JPEG, 2, segment(0xE1, EXIF + bytes(9_000)) * 2000), 2),
        (insert(PNG, 33, chunk(b"prVt") * 40_000), 0.3),
        (tagged_tiff(*((tag, 7, 20_000_000, 200) for tag in range(40_000, 40_100)), data=bytes(20_000_000)), 1),
        (tagged_tiff((40_000, 5, 1_000_000, 200), data=bytes(8_000_000)), 2),
        (tagged_tiff(*((tag, 7, 1000, 400_000) for tag in range(30_000, 60_000)), data=bytes(400_000)), 0.5),
    ],
)
def test_a_file_that_is_slow_to_open_is_rejected_unopened(source: bytes, seconds: float) -> None:
    error = rejection(source, seconds_left=lambda: 2 * seconds)
    assert (error.reason, error.message[:27]) == (Reason.TOO_SLOW, "opening the file needs abou")


SCANS = encode(picture(640, 480), progressive=True)


def test_each_scan_of_a_jpeg_takes_time() -> None:
    one, many = SCANS, insert(SCANS, len(SCANS) - 2, segment(0xDA, b"\1\1\0\1\x3f\x10") * 300)
    assert predict_demand(many, HALF).nanoseconds > 10 * predict_demand(one, HALF).nanoseconds
    assert predict_demand(encode(picture(640, 480)) + segment(0xDA, b"\1\1\0\1\x3f\x10") * 300, HALF) == predict_demand(
        encode(picture(640, 480)) + segment(0xFE, b"\1\1\0\1\x3f\x10") * 300, HALF
    )


def test_end_markers_before_the_image_count_as_parts() -> None:
    assert rejection(insert(JPEG, 2, b"\xff\xd9" * 60_000)).reason is Reason.TOO_LARGE


def test_components_with_equal_identifiers_are_counted_separately() -> None:
    source = bytearray(split_scans(encode(picture(1600, 1600))))
    frame = source.index(b"\xff\xc0")
    several, source[frame + 10 : frame + 19 : 3] = predict_demand(bytes(source), HALF), b"\1\1\1"
    same = predict_demand(bytes(source).replace(b"\1\2\0\0", b"\1\1\0\0").replace(b"\1\3\0\0", b"\1\1\0\0"), HALF)
    assert same.peak_bytes == several.peak_bytes
    assert same.nanoseconds >= several.nanoseconds


def split_scans(source: bytes) -> bytes:
    """Return the header of a baseline JPEG, and an empty scan for each of its components."""
    tables = source[: source.index(b"\xff\xda")]
    return tables + b"".join(segment(0xDA, bytes([1, number, 0, 0, 63, 0])) for number in (1, 2, 3)) + b"\xff\xd9"


@pytest.mark.parametrize(("subsampling", "values"), [("4:4:4", 3), ("4:2:2", 2), ("4:2:0", 1.5)])
def test_decoding_several_scans_holds_the_coefficients_of_a_whole_jpeg(subsampling: str, values: float) -> None:
    sides = 1600, 1600
    baseline = encode(picture(*sides), subsampling=subsampling)
    progressive = encode(picture(*sides), subsampling=subsampling, progressive=True)
    one, *others = (
        predict_demand(source, Rendition("r", width=1)) for source in (baseline, progressive, split_scans(baseline))
    )
    for other in others:
        held = other.peak_bytes - one.peak_bytes - 2 * (len(progressive) - len(baseline))
        assert held == pytest.approx(1.1 * 2 * values * math.prod(sides), rel=0.1)


def run_length(width: int, height: int, data: bytes) -> bytes:
    palette = b"\0\0\0\0\xff\xff\0\0" * 128
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(palette)) + header + palette + data


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize(
    # Measured: 1.3 s and 1.6 s.
    "source",
    [run_length(4000, 4000, b"\1\1\0\0" * 4000 + b"\0\1"), run_length(8, 8, b"\1\1" * 6_000_000)],
)
def test_a_run_length_bitmap_takes_time(source: bytes) -> None:
    assert rejection(source, seconds_left=lambda: 3.0).reason is Reason.TOO_SLOW


@pytest.mark.parametrize(
    "source",
    [
        encode(picture(16, 16), "TIFF") + bytes(100_000_000),
        insert(PNG, 33, chunk(b"prVt", bytes(5_000_000)), chunk(b"IDAT", bytes(55_000_000))),
        insert(JPEG, 2, segment(0xE2, bytes(60_000)) * 20) + bytes(30_000_000),
    ],
    ids=lambda source: f"{source[:4]!r}",
)
def test_large_files_may_be_opened(source: bytes) -> None:
    header = inspect(source)
    LIMITS.check_source(len(source), header.opening_bytes)
    Clock(lambda: 30, LIMITS.memory_bytes).check("opening the file", header.opening_nanoseconds)


def test_removing_unused_chunks_of_a_png_takes_no_more_memory_than_a_copy() -> None:
    source = insert(PNG, 33, *[chunk(b"tEXt"), chunk(b"prVt", bytes(99))] * 20_000)
    tracemalloc.start()
    readable = png_chunks.read_contents(source).readable
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 1.2 * len(source)
    assert readable == PNG


def split_extents(source: bytes) -> bytes:
    """Return the AVIF of one item with its stream in two extents: the first 3 bytes, and the rest."""
    box = source.index(b"iloc") - 4
    size = int.from_bytes(source[box : box + 4], "big")
    start, length = struct.unpack_from(">II", source, box + size - 8)
    extents = struct.pack(">HIIII", 2, start + 8, 3, start + 11, length - 3)
    grown = source[: box + size - 10] + extents + source[box + size :]
    for kind in (b"iloc", b"meta"):
        offset = grown.index(kind) - 4
        claimed = int.from_bytes(grown[offset : offset + 4], "big") + 8
        grown = grown[:offset] + claimed.to_bytes(4, "big") + grown[offset + 4 :]
    return grown


PLAIN = encode(Image.new("RGB", (640, 480)), "AVIF", subsampling="4:4:4")
FRAMES = [Image.new("RGB", (640, 480), colour) for colour in ("red", "blue", "white")]
MOVING = encode(FRAMES[0], "AVIF", save_all=True, append_images=FRAMES[1:])


@pytest.mark.parametrize("source", [PLAIN, MOVING, split_extents(PLAIN)])
def test_the_size_of_an_avif_is_read_from_its_stream(source: bytes) -> None:
    assert avif_boxes.read_streams(source).size == (640, 480)


@pytest.mark.usefixtures("undecoded")
def test_an_avif_whose_stream_is_larger_than_its_boxes_claim_is_rejected() -> None:
    # Measured: a file of 3.5 KB with 16,000 pixels a side took 958 MB.
    source = set_size(encode(Image.new("RGB", (3000, 3000)), "AVIF"), 16)
    assert Picture(inspect(source)).size == (16, 16)
    assert rejection(source, Limits(200 * MIB)).reason is Reason.TOO_LARGE
    assert rejection(source, seconds_left=lambda: 0.1).reason is Reason.TOO_SLOW


def test_the_size_of_an_avif_without_a_stream_is_read_from_its_boxes() -> None:
    assert avif_boxes.read_streams(PLAIN[: PLAIN.index(b"mdat") + 4]) == avif_boxes.Streams((0, 0), 0)
    assert predict_demand(avif(64)).pixels == 64 * 64


@pytest.mark.parametrize(
    "before",
    [
        # Profile, still, reduced; then every field before the number of bits of each side.
        "000 1 1" + "00000",
        "000 0 0" + "0 0 00000" + 12 * "0" + "00000",
        "000 0 0" + "0 1 00000" + 12 * "0" + "01000 1" + "1 1111",
        "000 0 0" + "1" + 64 * "1" + "0 0" + "0 00001" + 12 * "0" + "00000" + 12 * "0" + "11111 0",
        "000 0 0" + "1" + 64 * "1" + "1 00101 1 00111" + 42 * "1" + "0 00000" + 12 * "0" + "00000 1" + 17 * "1",
    ],
)
def test_sequence_headers_with_any_optional_field_are_read(before: str) -> None:
    bits = (before + f"{11:04b}{9:04b}{2999:012b}{999:010b}").replace(" ", "")
    header = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    # A delimiter and the header with an extension, both in a configuration box.
    units = b"\x12\0" + bytes([0x0E, 0, 0x80 | len(header), 0]) + header
    box = struct.pack(">I", 12 + len(units)) + b"av1C" + bytes(4) + units
    assert avif_boxes.read_streams(struct.pack(">I", 12 + len(box)) + b"meta" + bytes(4) + box).size == (3000, 1000)


def test_a_cleared_frame_is_rejected_before_it_is_allocated(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    core: Any = vars(Image)["core"]
    fill = core.fill

    def spy(mode: str, size: tuple[int, int], *colour: Any) -> Any:
        made.append(size)
        return fill(mode, size, *colour)

    monkeypatch.setattr(core, "fill", spy)
    # Measured with 30,000 pixels a side: a file of 60 bytes took 3.4 GiB and 7 s.
    control = b"\x21\xf9\x04" + bytes([2 << 2]) + bytes(4)
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, 3000, 3000, 0) + b"\x02\x02\x44\x01\x00"
    source = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x81, 0, 0) + bytes(range(12)) + control + image + b"\x3b"
    assert rejection(source, Limits(150 * MIB)).reason is Reason.TOO_LARGE
    assert made == []


@pytest.mark.parametrize("size", [(1, 2_000_000), (2_000_000, 1)])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_rows_and_columns_take_time(image_format: str, size: tuple[int, int]) -> None:
    # Measured on one core: half a second for a bitmap of two million columns.
    assert predict_demand(encode(Image.new("L", size), image_format), HALF).nanoseconds > 0.5e9


def test_tiny_frames_take_time() -> None:
    # Measured: 0.9 s.
    assert rejection(gif((4, 4), 10_000), seconds_left=lambda: 0.2).reason is Reason.TOO_SLOW


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_more_pixels_and_more_renditions_demand_more(image_format: str) -> None:
    small, large = (encode(Image.new("RGB", (side, side)), image_format) for side in (300, 600))
    assert predict_demand(small, HALF).pixels * 4 == predict_demand(large, HALF).pixels == 360_000
    assert predict_demand(small, HALF).peak_bytes < predict_demand(large, HALF).peak_bytes
    assert (
        predict_demand(large, HALF).peak_bytes < predict_demand(large, HALF, Rendition("third", scale=0.33)).peak_bytes
    )
    assert predict_demand(large, HALF).peak_bytes < predict_demand(large, Rendition("all", scale=1)).peak_bytes


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_every_frame_demands_more(image_format: str) -> None:
    frames = [picture(100, 100).rotate(turn) for turn in range(0, 40, 10)]
    one, four = (
        predict_demand(encode(frames[0], image_format, save_all=True, append_images=frames[1:count]), HALF)
        for count in (1, 4)
    )
    assert (one.pixels, four.pixels) == (10_000, 40_000)
    assert one.peak_bytes < four.peak_bytes


def test_a_curve_that_is_converted_demands_a_copy() -> None:
    plain = encode(picture(800, 600), "PNG")
    for before in (chunk(b"gAMA", struct.pack(">I", 100_000)), chunk(b"cICP", bytes([9, 16, 0, 1]))):
        whole, to_webp = plain[:33] + before + plain[33:], Rendition("whole", scale=1, format="webp")
        added = predict_demand(whole, to_webp).peak_bytes - predict_demand(plain, to_webp).peak_bytes
        assert 4 * 800 * 600 <= added < 4 * 800 * 600 + 1000
    wide = plain[:33] + chunk(b"cICP", bytes([12, 13, 0, 1])) + plain[33:]
    assert predict_demand(wide, HALF).peak_bytes - predict_demand(plain, HALF).peak_bytes < 1000


def test_a_jpeg_shrunk_on_load_demands_less_and_a_progressive_one_more() -> None:
    def peak(*, divisor: int, progressive: bool = False) -> int:
        opened = Picture(inspect(encode(Image.new("RGB", (2000, 2000)), progressive=progressive, subsampling=0)))
        opened.shrink_on_load(divisor)
        return predict(opened, [Rendition("r", width=100)], [ENCODERS["JPEG"]]).peak_bytes

    assert peak(divisor=8) * 4 < peak(divisor=2) * 2 < peak(divisor=1)
    # The decoder holds two bytes for each coefficient, whatever the divisor.
    assert peak(divisor=8, progressive=True) > 2 * 3 * 4_000_000


@pytest.mark.parametrize(("most", "passes"), [(99, False), (100, True), (None, True)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_an_image_of_exactly_max_pixels_passes(image_format: str, most: int | None, passes: bool) -> None:
    source, limits = encode(Image.new("RGB", (5, 20)), image_format), Limits(LIMITS.memory_bytes, most)
    if passes:
        render(source, [HALF], limits=limits)
    else:
        assert rejection(source, limits).message == "the image has 100 pixels, max_pixels allows 99"


@pytest.mark.usefixtures("undecoded")
def test_max_pixels_counts_every_page_and_frame_and_a_jpeg_before_it_is_shrunk() -> None:
    limits = Limits(LIMITS.memory_bytes, 100_000)
    for source, pixels in ((tiff(iter([200, 300])), 130_000), (gif((100, 100), 11), 110_000)):
        assert rejection(source, limits).message == f"the image has {pixels} pixels, max_pixels allows 100000"
    large = encode(Image.new("RGB", (400, 400)))
    tiny = [Rendition("tiny", width=10)]
    assert rejection(large, limits, renditions=tiny).message == "the image has 160000 pixels, max_pixels allows 100000"


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("memory", [0, 1, 119, 120])
def test_a_function_without_memory_for_an_image_rejects_it(memory: int) -> None:
    error = rejection(encode(picture()), Limits(memory * MIB))
    assert error.reason is Reason.TOO_LARGE
    assert f"this function has {max(0, memory - 120)} MiB" in error.message


def test_the_clock_is_checked_before_each_rendition_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([9.0, 9.0, 9.0, 0.0])
    written = []
    jpeg = ENCODERS["JPEG"]

    def spy(job: Job) -> bytes:
        written.append(job.rendition.name)
        return jpeg.encode(job)

    monkeypatch.setitem(ENCODERS, "JPEG", replace(jpeg, encode=spy))
    renditions = [Rendition(name, width=width) for name, width in (("first", 9), ("second", 8), ("third", 7))]
    error = rejection(encode(picture()), renditions=renditions, seconds_left=lambda: next(left))
    assert (error.reason, written) == (Reason.TOO_SLOW, ["first"])
    assert error.message.startswith("encoding as JPEG needs about ")
    assert error.message.endswith(" this invocation has 0.0 s left: raise timeout or memory_size")


def test_encoding_time_counts_every_frame() -> None:
    frames = [picture(500, 500).rotate(turn) for turn in range(0, 80, 10)]
    source = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    # Enough time for four of the eight frames.
    left = iter([99.0, 99.0, 2.5 * 4 * 250 * 250 * ENCODERS["GIF"].cost.pixel_nanoseconds / 1e9])
    error = rejection(source, seconds_left=lambda: next(left))
    assert error.message.startswith("encoding as GIF needs about 0.4 s, this invocation has 0.2 s left")


def test_an_image_is_rendered_if_it_needs_less_than_the_time_left() -> None:
    rendered = render(encode(picture()), [HALF], limits=LIMITS, seconds_left=lambda: 0.01)
    assert rendered.outputs[0].width == 160


def test_a_baseline_jpeg_may_have_more_pixels_than_a_progressive_one() -> None:
    limits, tiny = Limits(400 * MIB), [Rendition("tiny", width=120)]
    assert rejection(jpeg(12000, 10000, progressive=True), limits, renditions=tiny).reason is Reason.TOO_LARGE
    (output,) = render(jpeg(12000, 10000), tiny, limits=limits).outputs
    assert (output.width, output.height) == (120, 100)


@pytest.mark.parametrize(("image_format", "most"), [("jpeg", 65500), ("webp", 16383), ("avif", 32768)])
def test_an_output_is_scaled_down_to_the_largest_side_of_its_format(image_format: str, most: int) -> None:
    renditions = [Rendition("all", scale=1, format=image_format), Rendition("same", scale=1)]
    rendered = render(encode(Image.new("L", (most, 1)), "PNG"), renditions, limits=LIMITS)
    assert [(output.width, output.height) for output in rendered.outputs] == 2 * [(most, 1)]
    assert not rendered.lost
    rendered = render(encode(Image.new("L", (2 * most, 4)), "PNG"), renditions, limits=LIMITS)
    assert [(output.width, output.height) for output in rendered.outputs] == [(most, 2), (2 * most, 4)]
    assert rendered.lost == {"size": f"all was scaled down: {image_format.upper()} holds {most} pixels on a side"}


def test_an_animation_is_scaled_down_to_the_largest_side_of_its_own_format() -> None:
    frames = [picture(100, 10), picture(100, 10).rotate(180)]
    source = bytearray(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    canvas_width = source.index(b"VP8X") + 12
    source[canvas_width : canvas_width + 3] = (20_000 - 1).to_bytes(3, "little")
    rendered = render(bytes(source), [Rendition("all", scale=1)], limits=LIMITS)
    assert (rendered.outputs[0].width, rendered.outputs[0].height) == (16383, 8)
    assert rendered.lost == {"size": "all was scaled down: WEBP holds 16383 pixels on a side"}


@pytest.mark.usefixtures("undecoded")
def test_an_image_that_cannot_be_decoded_in_time_is_not_decoded() -> None:
    error = rejection(encode(picture(4000, 4000), "PNG"), seconds_left=lambda: 0.1)
    assert error.reason is Reason.TOO_SLOW
    assert error.message.startswith("decoding this PNG needs about 0.8 s, this invocation has 0.1 s left: ")


@pytest.mark.usefixtures("undecoded")
def test_less_memory_makes_the_processor_slower() -> None:
    source = encode(picture(1000, 1000), "PNG")
    assert rejection(source, Limits(256 * MIB), seconds_left=lambda: 0.2).reason is Reason.TOO_SLOW
    with pytest.raises(pytest.fail.Exception):
        render(source, [HALF], limits=LIMITS, seconds_left=lambda: 0.2)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_a_truncated_file_is_rejected_wherever_it_ends(image_format: str) -> None:
    source = encode(picture(80, 60).effect_spread(30), image_format)
    # A PNG's pixels need neither its last chunk (12 bytes) nor the checksums of the data (8), nor the code that ends
    # the data, which is up to 15 bits long and may fill two bytes.
    end = len(source) - (22 if image_format == "PNG" else 2)
    for length in range(0, end, max(1, len(source) // 60)):
        assert rejection(source[:length]).reason in {Reason.NOT_AN_IMAGE, Reason.CORRUPT}


def test_the_largest_side_limits_the_image_as_displayed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    narrow = encode(Image.new("L", (100, 20000)), "PNG", exif=exif)
    (output,) = render(narrow, [Rendition("r", width=100, format="webp")], limits=LIMITS).outputs
    assert (output.width, output.height) == (100, 1)
    wide = encode(Image.new("L", (20000, 100)), "PNG", exif=exif)
    rendered = render(wide, [Rendition("r", width=100, format="webp")], limits=LIMITS)
    assert (rendered.outputs[0].width, rendered.outputs[0].height) == (82, 16383)
    assert rendered.lost == {"size": "r was scaled down: WEBP holds 16383 pixels on a side"}
