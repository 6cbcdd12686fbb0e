"""Animations with disposals, blends, gaps, loop counts and truncations that Pillow does not write."""

import io
import itertools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from PIL import Image, ImageSequence

from errors import Reason
from imaging.formats import avif_boxes
from tests import gifs
from tests.images import UPRIGHT_CORNERS, corners, encode, load, picture
from tests.pngs import SIGNATURE, chunk
from tests.unit.rendering import output_body, rejection

RED, GREEN, BLUE, NOTHING = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)
VEIL = (0, 255, 0, 128)
"""Half-transparent green."""

WHOLE, CORNER, MIDDLE = (0, 0, 40, 40), (0, 0, 20, 20), (20, 20, 20, 20)
"""Boxes: left, top, width and height."""

Colour = tuple[int, ...]


@dataclass(frozen=True)
class Shown:
    """A viewer's picture: each frame's colours at the centres of its top left and bottom right quarters."""

    colours: list[tuple[Colour, Colour]]
    durations: list[float]
    loop: int | None


def read_shown(body: bytes) -> Shown:
    colours, durations = [], []
    with Image.open(io.BytesIO(body)) as image:
        loop = image.info.get("loop")
        for frame in ImageSequence.Iterator(image):
            pixels = frame.convert("RGBA")
            durations.append(frame.info.get("duration", 0))
            width, height = pixels.size
            places = ((width // 4, height // 4), (3 * width // 4, 3 * height // 4))
            colours.append(tuple(pixels.getpixel(place) for place in places))
    return Shown(colours, durations, loop)  # type: ignore[arg-type]


EXACT, LOSSY = 6, 16
"""Tolerances of a channel."""


def are_near(
    got: Sequence[tuple[Colour, Colour]], want: Sequence[tuple[Colour, Colour]], tolerance: int = EXACT
) -> bool:
    """Tell whether the colours agree within the tolerance; transparent ones, of alpha 0 or 1, are equal."""
    pairs = list(zip(itertools.chain(*got), itertools.chain(*want), strict=True))
    return all(
        max(abs(one - other) for one, other in zip(this, that, strict=True)) <= tolerance or max(this[3], that[3]) <= 1
        for this, that in pairs
    )


@dataclass(frozen=True)
class Part:
    """One frame of one colour."""

    box: tuple[int, int, int, int]
    colour: Colour
    dispose: int = 0
    blend: int = 0
    delay: tuple[int, int] = (1, 10)


def apng(
    parts: Sequence[Part],
    *,
    default: Colour | None = None,
    loop: int = 0,
    kind: int = 6,
    depth: int = 8,
    extra: bytes = b"",
) -> bytes:
    """Return an APNG of 40 by 40 pixels; ``kind`` is RGBA (6), RGB (2) or grey (0)."""
    channels = {6: 4, 2: 3, 0: 1}[kind]

    def pixels(colour: Colour, width: int, height: int) -> bytes:
        samples = struct.pack(f">{channels}{'H' if depth == 16 else 'B'}", *colour[:channels])
        return zlib.compress(height * (b"\0" + width * samples))

    body = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, depth, kind, 0, 0, 0))
    body += chunk(b"acTL", struct.pack(">II", len(parts), loop)) + extra
    if default:
        body += chunk(b"IDAT", pixels(default, 40, 40))
    sequence = itertools.count()
    for number, part in enumerate(parts):
        left, top, width, height = part.box
        how = (width, height, left, top, *part.delay, part.dispose, part.blend)
        body += chunk(b"fcTL", struct.pack(">IIIIIHHBB", next(sequence), *how))
        data = pixels(part.colour, width, height)
        is_first = number == 0 and not default
        body += chunk(b"IDAT", data) if is_first else chunk(b"fdAT", struct.pack(">I", next(sequence)) + data)
    return body + chunk(b"IEND")


def webp(parts: Sequence[Part], *, loop: int = 0) -> bytes:
    """Return a WebP of 40 by 40 pixels; ``dispose`` is 0 or 1, and ``blend`` has the values of an APNG."""
    body = b"VP8X" + struct.pack("<IB3x", 10, 0x12) + bytes([39, 0, 0, 39, 0, 0])
    body += b"ANIM" + struct.pack("<IIH", 6, 0, loop)
    for part in parts:
        left, top, width, height = part.box
        still = encode(Image.new("RGBA", (width, height), part.colour), "WEBP", lossless=True, exact=True)
        # A still in RGBA is one VP8L chunk after the header of the file.
        data = still[still.index(b"VP8L") :]
        sides = b"".join(side.to_bytes(3, "little") for side in (left // 2, top // 2, width - 1, height - 1, 100))
        frame = sides + bytes([(not part.blend) << 1 | part.dispose]) + data
        body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


BEHIND = {0: VEIL, 1: NOTHING, 2: RED}
"""The colour that is left by a frame in VEIL over RED, by the frame's disposal."""

BEHIND_BLENDED = BEHIND | {0: (127, 128, 0, 255)}


@pytest.mark.parametrize("to", [None, "webp", "avif"])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("dispose", [0, 1, 2])
def test_every_disposal_and_blend_of_an_apng(dispose: int, blend: int, to: str | None) -> None:
    veil = (BEHIND_BLENDED if blend else BEHIND)[0]
    behind = (BEHIND_BLENDED if blend else BEHIND)[dispose]
    made = read_shown(
        output_body(apng([Part(WHOLE, RED), Part(CORNER, VEIL, dispose, blend), Part(MIDDLE, BLUE, 0, 1)]), to)
    )
    assert are_near(made.colours, [(RED, RED), (veil, RED), (behind, BLUE)], LOSSY if to else EXACT)
    assert made.durations == [100, 100, 100]


@pytest.mark.parametrize("to", [None, "png", "avif"])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("dispose", [0, 1])
def test_every_disposal_and_blend_of_an_animated_webp(dispose: int, blend: int, to: str | None) -> None:
    veil = (127, 128, 0, 255) if blend else VEIL
    made = read_shown(
        output_body(webp([Part(WHOLE, RED), Part(CORNER, VEIL, dispose, blend), Part(MIDDLE, BLUE, 0, 1)]), to)
    )
    assert are_near(
        made.colours, [(RED, RED), (veil, RED), (NOTHING if dispose else veil, BLUE)], LOSSY if to == "avif" else EXACT
    )
    assert made.durations == [100, 100, 100]


@pytest.mark.parametrize("kind", [2, 0])
def test_an_apng_without_alpha_is_cleared_to_transparent(kind: int) -> None:
    light, dark = (200, 200, 200, 255), (50, 50, 50, 255)
    made = read_shown(
        output_body(apng([Part(WHOLE, light), Part(CORNER, dark, dispose=1), Part(MIDDLE, dark)], kind=kind))
    )
    assert are_near(made.colours, [(light, light), (dark, light), (NOTHING, dark)])


@pytest.mark.parametrize("to", [None, "webp", "png"])
def test_a_gif_is_transparent_outside_its_first_frame(to: str | None) -> None:
    made = read_shown(output_body(gifs.gif([gifs.frame(CORNER, 1), gifs.frame(WHOLE, 2)]), to))
    assert are_near(made.colours, [(GREEN, NOTHING), (BLUE, BLUE)])


@pytest.mark.parametrize("to", [None, "webp", "png", "avif"])
def test_frames_of_a_gif_have_local_palettes(to: str | None) -> None:
    other = bytes([9, 200, 100, *gifs.PALETTE[3:]])
    frames = [gifs.frame(WHOLE, 0, is_interlaced=True), gifs.frame(CORNER, 0, local=other), gifs.frame(MIDDLE, 2)]
    made = read_shown(output_body(gifs.gif(frames), to))
    wanted = [(RED, RED), ((9, 200, 100, 255), RED), ((9, 200, 100, 255), BLUE)]
    assert are_near(made.colours, wanted, LOSSY if to in {"avif", "webp"} else EXACT)


def test_a_gif_needs_no_global_palette() -> None:
    made = read_shown(
        output_body(
            gifs.gif([gifs.frame(WHOLE, 0, local=gifs.PALETTE), gifs.frame(CORNER, 1, local=gifs.PALETTE)], colours=b"")
        )
    )
    assert made.colours == [(RED, RED), (GREEN, RED)]


def test_a_truncated_gif_is_rejected_unless_only_its_trailer_is_missing() -> None:
    small = (0, 0, 9, 9)
    comment = b"\x21\xfe\x03abc\0"
    frames = [gifs.frame(small, 0), gifs.frame(small, 1, local=gifs.PALETTE), gifs.frame(small, 2)]
    start = gifs.gif([], loop=3, extra=comment)[:-1]
    ends = list(itertools.accumulate(map(len, frames), initial=len(start)))
    source = start + b"".join(frames)
    for length in range(len(start), len(source)):
        if length in ends[1:]:
            # Only the trailer is missing: every frame is complete.
            assert len(read_shown(output_body(source[:length])).colours) == ends.index(length)
        else:
            assert rejection(source[:length]).reason is Reason.CORRUPT


@pytest.mark.parametrize("kind", ["APNG", "WEBP"])
def test_a_truncated_animation_is_rejected(kind: str) -> None:
    parts = [Part(WHOLE, RED), Part(CORNER, GREEN), Part(MIDDLE, BLUE)]
    source = apng(parts) if kind == "APNG" else webp(parts)
    # An APNG's last chunk only marks the end.
    for length in range(len(source) - (20 if kind == "APNG" else 0)):
        assert rejection(source[:length]).reason in {Reason.CORRUPT, Reason.NOT_AN_IMAGE}


def test_an_apng_with_missing_damaged_or_unordered_frames_is_rejected() -> None:
    source = apng([Part(WHOLE, RED), Part(MIDDLE, GREEN), Part(MIDDLE, BLUE)])
    control = source.rindex(b"fcTL")
    pixels = source.rindex(b"fdAT")

    def replace_start(place: int, data: bytes, old: int = 0) -> bytes:
        """Replace the beginning of a chunk and correct its checksum."""
        start, length = place + 4, int.from_bytes(source[place - 4 : place], "big")
        content = source[place:start] + data + source[start + (old or len(data)) : start + length]
        return source[: place - 4] + chunk(content[:4], content[4:]) + source[start + length + 4 :]

    for damaged, message in [
        (source[: pixels + 9] + b"\0" + source[pixels + 10 :], "its chunk fdAT is damaged"),
        (replace_start(control, struct.pack(">I", 9)), "its frames are out of order"),
        (replace_start(control, struct.pack(">IIIII", 3, 21, 20, 20, 20)), "a frame reaches over the edge"),
        (replace_start(control, struct.pack(">IIIII", 3, 0, 20, 20, 20)), "a frame reaches over the edge"),
        (replace_start(control, struct.pack(">IH", 3, 0), old=4), "a frame's size is damaged"),
        (replace_start(source.index(b"acTL"), struct.pack(">I", 4)), "the file has 3 frames in place of 4"),
    ]:
        error = rejection(damaged)
        assert message in str(error)
        assert error.reason is Reason.CORRUPT


@pytest.mark.parametrize("loop", [0, 1, 7, 65535])
@pytest.mark.parametrize("to", [None, "png", "webp"])
@pytest.mark.parametrize("make", [apng, webp])
def test_the_number_of_plays_is_kept(make: type, to: str | None, loop: int) -> None:
    assert read_shown(output_body(make([Part(WHOLE, RED), Part(WHOLE, BLUE)], loop=loop), to)).loop == loop


@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_an_avif_keeps_the_number_of_plays(plays: int) -> None:
    source = output_body(webp([Part(WHOLE, RED), Part(WHOLE, VEIL), Part(WHOLE, BLUE)], loop=plays), "avif")
    assert avif_boxes.read_plays(source) == plays
    made = read_shown(source)
    assert are_near(made.colours, [(RED, RED), (VEIL, VEIL), (BLUE, BLUE)], LOSSY)
    assert made.durations == [100, 100, 100]
    assert avif_boxes.read_plays(output_body(source)) == plays
    assert read_shown(output_body(source, "webp")).loop == plays


def test_the_number_of_plays_of_any_avif_is_read() -> None:
    still = encode(picture(64, 64), "AVIF")
    moving = encode(picture(64, 64), "AVIF", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    assert avif_boxes.read_plays(still) is None
    assert avif_boxes.read_plays(moving) == 0
    assert avif_boxes.read_plays(avif_boxes.set_plays(moving, 3)) == 3
    place = moving.index(b"elst") + 4 + 3
    assert avif_boxes.read_plays(moving[:place] + b"\0" + moving[place + 1 :]) == 1
    for length in range(0, len(moving), 7):
        avif_boxes.read_plays(moving[:length])


def test_boxes_of_64_bit_and_unspecified_sizes_end_with_the_file() -> None:
    long = b"\0\0\0\1free" + (18).to_bytes(8, "big") + b"ab"
    rest = b"\0\0\0\0mdat" + b"cde"
    assert list(avif_boxes.walk_boxes(long + rest, 0, len(long + rest), avif_boxes.limit_parts())) == [
        avif_boxes.Box(b"free", 16, 18),
        avif_boxes.Box(b"mdat", 26, 29),
    ]
    assert list(avif_boxes.walk_boxes(b"\0\0\0\x20free" + b"ab", 0, 10, avif_boxes.limit_parts())) == [
        avif_boxes.Box(b"free", 8, 10, is_whole=False)
    ]


@pytest.mark.parametrize("size", [b"\0\0\0\7free", b"\0\0\0\1free" + (15).to_bytes(8, "big")])
def test_a_box_smaller_than_its_header_ends_the_walk(size: bytes) -> None:
    assert list(avif_boxes.walk_boxes(size + bytes(100), 0, len(size) + 100, avif_boxes.limit_parts())) == []


@pytest.mark.parametrize("loop", [None, 0, 1, 7])
def test_a_gif_keeps_its_number_of_repeats(loop: int | None) -> None:
    assert read_shown(output_body(gifs.gif([gifs.frame(WHOLE, 0), gifs.frame(WHOLE, 2)], loop=loop))).loop == loop


@pytest.mark.parametrize("to", ["png", "webp"])
@pytest.mark.parametrize(("loop", "plays"), [(0, 0), (None, 1), (3, 4)])
def test_another_format_plays_a_gif_equally_often(loop: int | None, plays: int, to: str) -> None:
    assert read_shown(output_body(gifs.gif([gifs.frame(WHOLE, 0), gifs.frame(WHOLE, 2)], loop=loop), to)).loop == plays


@pytest.mark.parametrize("to", ["webp", "avif"])
def test_another_animated_format_drops_an_apngs_default_image(to: str) -> None:
    made = read_shown(output_body(apng([Part(WHOLE, RED), Part(WHOLE, BLUE)], default=GREEN), to))
    assert are_near(made.colours, [(RED, RED), (BLUE, BLUE)])


def test_a_still_format_gets_an_apngs_default_image() -> None:
    made = read_shown(output_body(apng([Part(WHOLE, RED), Part(WHOLE, BLUE)], default=GREEN), "jpeg"))
    assert are_near(made.colours, [(GREEN, GREEN)])


@pytest.mark.parametrize("levels", [(30000, 60000), (300, 65535)])
def test_an_apng_of_16_bits_keeps_its_frames(levels: tuple[int, int]) -> None:
    source = apng([Part(WHOLE, (level,)) for level in levels], kind=0, depth=16)
    made = read_shown(output_body(source))
    assert len(made.colours) == 2
    assert sum(made.durations) == 200


@pytest.mark.parametrize("to", [None, "webp", "png", "avif", "jpeg"])
@pytest.mark.parametrize(
    "source", [apng([Part(WHOLE, BLUE)]), webp([Part(WHOLE, BLUE)]), gifs.gif([gifs.frame(WHOLE, 2)])]
)
def test_an_animation_of_one_frame_is_a_still(source: bytes, to: str | None) -> None:
    assert are_near(read_shown(output_body(source, to)).colours, [(BLUE, BLUE)])


@pytest.mark.parametrize("to", [None, "webp", "png", "avif"])
@pytest.mark.parametrize("make", [apng, webp])
def test_equal_consecutive_frames_keep_their_total_duration(make: type, to: str | None) -> None:
    source = make([Part(WHOLE, RED), Part(WHOLE, RED), Part(CORNER, BLUE), Part(CORNER, BLUE), Part(WHOLE, GREEN)])
    made = read_shown(output_body(source, to))
    assert sum(made.durations) == 500
    assert are_near([made.colours[0], made.colours[-1]], [(RED, RED), (GREEN, GREEN)])


def test_an_animation_that_becomes_a_still_keeps_its_alpha() -> None:
    frames = [Image.new("RGBA", (20, 20), VEIL) for _ in range(2)]
    frames[1].putpixel((0, 0), (1, 255, 0, 128))
    source = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, exact=True)
    assert getattr(load(source), "n_frames", 1) == 2
    assert are_near(read_shown(output_body(source, width=1)).colours, [(VEIL, VEIL)])


@pytest.mark.parametrize("to", ["webp", "png", "avif"])
def test_durations_and_plays_are_limited_to_the_range_of_the_format(to: str) -> None:
    long = apng([Part(WHOLE, RED, delay=(65535, 1)), Part(WHOLE, BLUE)], loop=70000)
    often = gifs.gif([gifs.frame(WHOLE, 0), gifs.frame(WHOLE, 2)], loop=65535)
    longer = bytearray(webp([Part(WHOLE, RED), Part(WHOLE, BLUE)]))
    place = longer.index(b"ANMF") + 8 + 12
    longer[place : place + 3] = b"\xff\xff\xff"
    for source in (long, often, bytes(longer)):
        assert are_near([read_shown(output_body(source, to)).colours[0]], [(RED, RED)], LOSSY)


@pytest.mark.parametrize(
    ("delay", "milliseconds"), [((1, 3), 1000 / 3), ((5, 0), 50), ((0, 100), 0), ((65535, 1), 65535000)]
)
def test_an_apng_keeps_its_durations_as_fractions(delay: tuple[int, int], milliseconds: float) -> None:
    made = read_shown(output_body(apng([Part(WHOLE, RED, delay=delay), Part(WHOLE, BLUE, delay=delay)])))
    assert made.durations == pytest.approx([milliseconds, milliseconds])


def test_only_the_main_picture_of_a_multi_picture_jpeg_is_kept_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [picture(60, 40), Image.new("RGB", (640, 480), "black")]
    source = encode(
        picture().transpose(Image.Transpose.ROTATE_90), "MPO", save_all=True, append_images=others, exif=exif
    )
    body = output_body(source)
    image = load(body)
    assert (image.format, image.size, corners(image)) == ("JPEG", (160, 120), UPRIGHT_CORNERS)
    assert b"MPF\0" not in body


@pytest.mark.parametrize("to", [None, "webp", "png"])
def test_an_animated_avif_keeps_its_transparency(to: str | None) -> None:
    frames = [Image.new("RGBA", (64, 64), NOTHING) for _ in range(3)]
    for number, frame in enumerate(frames):
        frame.paste([RED, GREEN, BLUE][number], (32, 32, 64, 64))
    source = encode(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=[10, 20, 30], quality=95)
    made = read_shown(output_body(source, to))
    assert are_near(made.colours, [(NOTHING, RED), (NOTHING, GREEN), (NOTHING, BLUE)], LOSSY)
    assert made.durations == [10, 20, 30]
