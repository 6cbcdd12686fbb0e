"""Files with repeated, nested or overlapping parts take no more time and memory than predicted."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import gain_maps
from tests.heifs import add_iso_map
from tests.images import encode, picture, segment
from tests.pngs import chunk
from tools.common.paths import FUNCTION

MEMORY_MIB = 512
MOST_BYTES = 8_000_000
"""The size of a bomb. A quadratic parser takes minutes at this size."""

WORKER = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
import boto3
from imaging import limits as costs, memory
from errors import RejectedError
from imaging.render import render
from renditions import Rendition
from imaging.limits import Limits

SECONDS_LEFT, SLACK = 3.0, 1.0

def allow(seconds):
    # The kernel kills the process that exceeds this CPU time.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, hard))

def check(clock, step, nanoseconds):
    allow(SLACK + 2 * costs.SLOWNESS * nanoseconds / 1e9)
    return checked(clock, step, nanoseconds)

checked, costs.Clock.check = costs.Clock.check, check
boto3.client("s3", region_name="eu-west-2")
limits = Limits(int(sys.argv[2]) << 20)
memory.limit(limits.memory_bytes)
while header := sys.stdin.buffer.readline():
    size, options = json.loads(header)
    source = sys.stdin.buffer.read(size)
    allow(SLACK)
    try:
        render(source, [Rendition("asked", **options)], limits=limits, seconds_left=lambda: SECONDS_LEFT)
    except RejectedError:
        pass
    peak = next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak, flush=True)
"""
"""Renders each source that it receives, capped as in Lambda, and replies with its peak memory so far, in MiB.

``SLACK`` is the CPU time that a rejection may take. 0.5 s are promised, but the kernel limits whole seconds.
"""

IMAGE, MOVED = picture(16, 16), picture(16, 16).rotate(90)
COUNTS = st.sampled_from([1, 2, 30, 1000, 49_000, 60_000, 10_000_000])
NUMBERS = st.sampled_from([0, 1, 2, 8, 200, 65_535, 1 << 20, (1 << 31) - 1, (1 << 32) - 1])
SIDES = st.sampled_from([1, 16, 300, 4000, 65_535])
FILLING = st.builds(lambda byte, size: byte * size, st.sampled_from([b"\0", b"\xff", b"\x01"]), st.integers(0, 9000))
DEFLATED = st.sampled_from([b"x\0\0" + zlib.compress(bytes(size), 9) for size in (0, 1 << 20, 8 << 20)])
PAGE = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
PAGE += [(277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 256)]
"""The tags of 16 by 16 grey pixels: number, type, count, value or offset."""


@st.composite
def tiffs(draw: st.DrawFn, most: int = MOST_BYTES) -> bytes:
    """Draw directories that overlap, loop or point beyond the file, with tags that share their values."""
    kinds = st.sampled_from([256, 258, 273, 274, 279, 322, 324, 325, 330, 33432, 34665, 34675, 700, 40_000])
    more = draw(st.lists(st.tuples(kinds, st.integers(1, 18), NUMBERS, NUMBERS), max_size=20))
    more *= min(draw(COUNTS), 3000)
    # Of several tags with one number, the last counts.
    tags = sorted([*PAGE, *more], key=lambda tag: tag[0])[:65_535]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    count = min(draw(COUNTS), 1 + most // (len(directory) + 4))
    first = 8 + 256
    length = len(directory) + 4
    following = draw(st.sampled_from([0, first, first + 2, None]))
    pages = (
        directory + struct.pack("<I", first + length * (number + 1) if following is None else following)
        for number in range(count)
    )
    filling: bytes = draw(FILLING)
    return b"II*\0" + struct.pack("<I", first) + bytes(256) + b"".join(pages) + filling


EXIF = st.one_of(FILLING, tiffs(65_000).map(lambda tags: tags[:65_000]))


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def frames(count: int, side: int) -> bytes:
    """Return the frames of an APNG after the first, all of one size."""
    rows = zlib.compress(bytes((1 + 3 * side) * side), 9)
    parts = (
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number + 1, side, side, 0, 0, 1, 10, 2, 1))
        + chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + rows)
        for number in range(min(count, MOST_BYTES // (len(rows) + 70)))
    )
    return b"".join(parts)


CHUNKS = st.one_of(
    st.builds(
        chunk,
        st.sampled_from([b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"tEXt", b"zTXt", b"iTXt"])
        | st.sampled_from([b"iCCP", b"eXIf", b"gAMA", b"prVt", b"IEND"]),
        st.one_of(FILLING, DEFLATED, EXIF, st.just(struct.pack(">IIIIIHHBB", 0, 16, 16, 0, 0, 1, 10, 0, 0))),
    ),
    st.builds(frames, COUNTS, st.sampled_from([1, 16])),
)
SEGMENTS = st.one_of(
    st.builds(
        segment,
        st.sampled_from([0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xFE]),
        st.one_of(
            FILLING,
            EXIF.map(lambda tags: b"Exif\0\0" + tags),
            FILLING.map(lambda data: b"ICC_PROFILE\0\x01\xff" + data),
            FILLING.map(lambda data: b"Photoshop 3.0\0" + (b"8BIM\4\4" + bytes(6)) * 4000 + data),
            EXIF.map(lambda tags: b"MPF\0" + tags),
            st.just(b"\x01\x01\0\x01\x3f\x10"),
        ),
    ),
    st.sampled_from([b"\xff", b"\0", b"\xff\xd9", b"\xff\xd8", b"\xff\xd0", b"\xff\x01"]),
)
BLOCKS = st.one_of(
    st.builds(
        lambda label, data, count: bytes([0x21, label]) + data * count + b"\0",
        st.sampled_from([0xFE, 0xFF, 0xF9, 0x01]),
        st.sampled_from([b"", b"\x01\0", b"\x0bNETSCAPE2.0\3\1\0\0", b"\x04\x04\0\0\0", b"\xff" + bytes(255)]),
        COUNTS.map(lambda count: min(count, 1000)),
    ),
    st.builds(
        lambda sides, data: b"\x2c" + struct.pack("<HHHHB", 0, 0, *sides, 0) + data,
        st.tuples(SIDES, SIDES),
        st.sampled_from([b"\x02\0", b"\x02\x02\x44\x01\0", b"\x08" + b"\x01\0" * 300 + b"\0"]),
    ),
)
PIECES = st.builds(
    riff,
    st.sampled_from(
        [b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"XMP ", b"RIFF", b"junk"]
    ),
    st.one_of(FILLING, EXIF, st.just(bytes(16) + encode(picture(1, 1), "WEBP", lossless=True)[12:])),
)
BOXES = st.builds(
    box,
    st.sampled_from([b"meta", b"iprp", b"ipco", b"ipma", b"iloc", b"iinf", b"infe", b"idat", b"moov", b"trak", b"mdia"])
    | st.sampled_from([b"minf", b"stbl", b"stco", b"co64", b"stsz", b"av1C", b"edts", b"elst", b"tkhd", b"free"])
    | st.sampled_from([b"pitm", b"iref", b"auxl", b"dimg", b"colr", b"auxC", b"clli", b"pixi"]),
    st.one_of(
        FILLING,
        EXIF,
        st.builds(lambda version, rest: bytes([version, 0, 0, 0]) + rest, st.integers(0, 2), FILLING),
        st.builds(lambda count: bytes(4) + struct.pack(">I", count) + bytes(4 * min(count, 60_000)), NUMBERS),
    ),
) | st.builds(
    # Items with extents that each cover the whole file.
    lambda items, extents: box(
        b"iloc", struct.pack(">IHI", 2 << 24, 0, items) + struct.pack(">IHHH", 1, 0, 0, extents) * min(items, 60_000)
    ),
    NUMBERS,
    st.sampled_from([1, 300, 65_535]),
)
ANIMATED = {"save_all": True, "append_images": [MOVED], "duration": 50}
HDR_AVIF = add_iso_map(encode(IMAGE, "AVIF"), encode(IMAGE.convert("L"), "AVIF"), b"\0" + gain_maps.ISO).encode()
CONTAINERS = {
    "PNG": (CHUNKS, (33, -12), encode(IMAGE, "PNG")),
    "APNG": (CHUNKS, (33, -12), encode(picture(400, 400).quantize(2), "PNG", **ANIMATED)),
    "JPEG": (SEGMENTS, (2, -2), encode(IMAGE)),
    "progressive JPEG": (SEGMENTS, (2, -2), encode(picture(640, 480), progressive=True)),
    "HDR JPEG": (SEGMENTS, (2, -2), gain_maps.ultra_hdr_jpeg(*gain_maps.hdr_pictures())),
    "GIF": (BLOCKS, (-1,), encode(IMAGE, "GIF", **ANIMATED)),
    "WEBP": (PIECES, (30,), encode(IMAGE, "WEBP", exif=b"Exif\0\0II*\0")),
    "animated WEBP": (PIECES, (30,), encode(IMAGE, "WEBP", **ANIMATED)),
    "AVIF": (BOXES, (), encode(IMAGE, "AVIF")),
    "HDR AVIF": (BOXES, (), HDR_AVIF),
    "animated AVIF": (BOXES, (), encode(IMAGE, "AVIF", **ANIMATED)),
}
"""The parts of each container, the offsets at which a good file may get them beside its end, and that file."""


@dataclass(frozen=True)
class Bomb:
    """A bomb; a failing test doesn't print its bytes."""

    container: str
    size: int
    body: bytes = field(repr=False)


def bombs() -> st.SearchStrategy[Bomb]:
    """Return a strategy for bombs of every container."""
    sources = {"TIFF": tiffs(), "BMP": bitmaps()} | {name: repeat_parts(name) for name in CONTAINERS}
    return st.sampled_from(sorted(sources)).flatmap(
        lambda name: sources[name].map(lambda body: Bomb(name, len(body), body))
    )


@st.composite
def repeat_parts(draw: st.DrawFn, container: str) -> bytes:
    """Draw a good file with some parts of its container, repeated or nested."""
    parts, offsets, source = CONTAINERS[container]
    if container == "GIF":
        source = source[:6] + struct.pack("<HH", draw(SIDES), draw(SIDES)) + source[10:]
    for part in draw(st.lists(parts, min_size=1, max_size=3)):
        count = max(1, min(draw(COUNTS), (MOST_BYTES - len(source)) // max(1, len(part))))
        repeated = part * count
        if "AVIF" in container and draw(st.booleans()):
            repeated = nest(part, min(count, 2000))
        offset = draw(st.sampled_from([*offsets, len(source)]))
        source = source[:offset] + repeated + source[offset:]
    return set_size(container, source)


def nest(part: bytes, depth: int) -> bytes:
    """Wrap a box in boxes of its kind."""
    for _ in range(depth):
        part = box(part[4:8], bytes(4) * (part[4:8] == b"meta") + part)
    return part


@st.composite
def bitmaps(draw: st.DrawFn) -> bytes:
    """Draw run-length bitmaps, which Pillow decodes in Python."""
    width, height = draw(SIDES), draw(SIDES)
    part = draw(st.sampled_from([b"\0\0", b"\x01\0", b"\xff\0", b"\0\x02\0\0", b"\0\x02\xff\0", b"\0\x04\0\0\0\0"]))
    data = part * min(draw(COUNTS), MOST_BYTES // len(part)) + draw(st.sampled_from([b"", b"\0\x01"]))
    start = 54 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + bytes(1024) + data


class Worker:
    """A process that renders; the next source after its death starts a new one."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def peak_mib(self, source: bytes, options: dict[str, float]) -> int:
        """Render ``source``, and return the peak memory of the process in MiB.

        Raises:
            ChildProcessError: It died of its CPU limit (status -24), a crash or an exception.

        """
        if self._process is None:
            command = [sys.executable, "-c", WORKER, str(FUNCTION), str(MEMORY_MIB)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps([len(source), options]).encode() + b"\n" + source)
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            status = self._process.wait()
            self._process = None
            raise ChildProcessError(status)
        return int(answer)

    def close(self) -> None:
        if self._process:
            self._process.communicate()
            self._process = None


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def fill(container: str, part: bytes, offset: int) -> bytes:
    """Return a good file with ``part`` repeated up to ``MOST_BYTES``."""
    _, _, source = CONTAINERS[container]
    return set_size(container, source[:offset] + part * (MOST_BYTES // len(part)) + source[offset:])


def set_size(container: str, source: bytes) -> bytes:
    """Return the file; in a WebP, state its size in the header."""
    return source[:4] + struct.pack("<I", len(source) - 8) + source[8:] if "WEBP" in container else source


DENSE_XMP = gain_maps.xmp("", "<hdrgm:GainMapMax><a/></hdrgm:GainMapMax>" * 1500)


def hide_in_gain_map(part: bytes, offset: int, **options: Any) -> bytes:
    """Return a JPEG whose gain map has ``part`` repeated up to ``MOST_BYTES``."""
    base, _ = gain_maps.hdr_pictures()
    behind = encode(picture(80, 60), **options)
    return gain_maps.iso_jpeg(base, behind[:offset] + part * (MOST_BYTES // len(part)) + behind[offset:])


MANY_TAGS = b"II*\0\x08\0\0\0" + struct.pack("<H", 5000) + struct.pack("<HHII", 40_000, 1, 1, 0) * 5000 + bytes(4)
SMALLEST = [
    fill("PNG", chunk(b"prVt"), 33),
    fill("APNG", chunk(b"fdAT", bytes(4)), -12),
    fill("JPEG", b"\xff", 2),
    fill("JPEG", segment(0xFE, b""), 2),
    fill("progressive JPEG", segment(0xDA, b"\x01\x01\0\x01\x3f\x10"), -2),
    hide_in_gain_map(b"\xff", 2),
    hide_in_gain_map(segment(0xFE, b""), 2),
    hide_in_gain_map(segment(0xE1, b"Exif\0\0" + MANY_TAGS), 2),
    hide_in_gain_map(segment(0xDA, b"\x01\x01\0\x01\x3f\x10"), -2, progressive=True),
    gain_maps.combine(encode(IMAGE), [gain_maps.Other(gain_maps.add(encode(IMAGE), DENSE_XMP))] * 120),
    gain_maps.combine(encode(IMAGE), [gain_maps.Other(b"\xff\xd8")] * 4000),
    fill("GIF", b"\x21\xfe\0", -1),
    fill("GIF", b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\0", -1),
    fill("WEBP", riff(b"EXIF", MANY_TAGS), 30),
    fill("PNG", chunk(b"eXIf", MANY_TAGS), 33),
    fill("AVIF", box(b"free", b""), 32),
    fill("AVIF", box(b"stco", struct.pack(">III", 0, 1, 0)), len(CONTAINERS["AVIF"][2])),
]
"""Files full of the smallest parts of each container, and of EXIF."""


@pytest.mark.parametrize("source", SMALLEST, ids=range(len(SMALLEST)))
def test_a_file_full_of_the_smallest_parts_takes_no_more_than_predicted(worker: Worker, source: bytes) -> None:
    assert worker.peak_mib(source, {"scale": 0.5}) <= MEMORY_MIB


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(bomb=bombs(), options=st.sampled_from([{"scale": 0.5}, {"width": 320}]))
def test_a_bomb_takes_no_more_than_predicted(worker: Worker, bomb: Bomb, options: dict[str, float]) -> None:
    assert worker.peak_mib(bomb.body, options) <= MEMORY_MIB
