"""AVIF and HEIC: whose colour and depth count, and which pictures beside the main one are named as lost."""

import struct

import pytest

from errors import Reason, RejectedError
from imaging.colour_space import DISPLAY_P3, SRGB, HdrCurve, read_codes
from imaging.formats.heif_items import MainPicture, read_main_picture
from tests.heifs import Heif, auxiliary, box, nclx, profile
from tests.images import HEIC_PICTURE, encode, load, picture

AVIF = encode(picture(64, 48), "AVIF")
HEIC = HEIC_PICTURE.read_bytes()
SEQUENCE = encode(picture(64, 48), "AVIF", save_all=True, append_images=[picture(64, 48).rotate(180)], duration=100)
BOTH = pytest.mark.parametrize("body", [AVIF, HEIC], ids=["AVIF", "HEIC"])
ICC = DISPLAY_P3.make_profile() or b""
GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
DEPTH = b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth"


def names(found: MainPicture) -> list[str]:
    return [loss.what.value for loss in found.losses]


def with_colours(body: bytes, *colours: bytes) -> Heif:
    """Return a file whose main picture has these colours and no other."""
    made = Heif(body)
    made.remove(b"colr")
    made.describe(made.main, *colours)
    return made


@BOTH
@pytest.mark.parametrize(
    ("primaries", "transfer", "curve"),
    [(12, 13, 13), (9, 1, 13), (9, 14, 13), (9, 15, 13), (6, 6, 13), (9, 16, 16), (9, 18, 18), (2, 2, 13), (12, 2, 13)],
)
def test_the_colour_is_read(body: bytes, primaries: int, transfer: int, curve: int) -> None:
    found = read_main_picture(with_colours(body, nclx(primaries, transfer)).encode())
    assert (found.colour, names(found)) == (read_codes(1 if primaries == 2 else primaries, curve), [])


@BOTH
@pytest.mark.parametrize(("primaries", "transfer"), [(12, 9), (13, 13), (1, 200)])
def test_an_unknown_colour_is_named(body: bytes, primaries: int, transfer: int) -> None:
    found = read_main_picture(with_colours(body, nclx(primaries, transfer)).encode())
    assert (found.colour, names(found)) == (SRGB, ["profile"])


@BOTH
@pytest.mark.parametrize("is_first", [True, False])
def test_a_profile_counts_more_than_numbers(body: bytes, is_first: bool) -> None:
    colours = (profile(ICC), nclx(9, 16)) if is_first else (nclx(9, 16), profile(ICC))
    assert read_main_picture(with_colours(body, *colours).encode()).colour is None


@BOTH
def test_without_a_colour_it_is_srgb(body: bytes) -> None:
    assert read_main_picture(with_colours(body).encode()).colour == SRGB


@BOTH
@pytest.mark.parametrize("kind", [b"auxl", b"thmb"])
def test_the_colour_of_another_item_does_not_count(body: bytes, kind: bytes) -> None:
    made = with_colours(body)
    made.add_item(90, b"av01")
    made.refer(kind, 90, made.main)
    made.describe(90, nclx(9, 16))
    assert read_main_picture(made.encode()).colour == SRGB


@BOTH
@pytest.mark.parametrize(("own", "wanted"), [([], DISPLAY_P3), ([nclx(9, 13)], read_codes(9, 13))])
def test_a_grid_without_a_colour_has_that_of_its_tiles(body: bytes, own: list[bytes], wanted: object) -> None:
    made = with_colours(body, *own)
    for tile in (90, 91):
        made.add_item(tile, b"av01", is_hidden=True)
        made.describe(tile, nclx(12, 13))
    made.refer(b"dimg", made.main, 90, 91)
    found = read_main_picture(made.encode())
    assert (found.colour, names(found)) == (wanted, [])


@BOTH
@pytest.mark.parametrize(
    ("properties", "peak"),
    [
        ([box(b"clli", struct.pack(">HH", 400, 100))], 400),
        ([box(b"mdcv", bytes(16) + struct.pack(">II", 6_000_000, 1))], 600),
        ([box(b"clli", bytes(4)), box(b"mdcv", bytes(16) + struct.pack(">II", 6_000_000, 1))], 600),
        ([box(b"clli", b"")], 0),
    ],
)
def test_the_brightest_light_is_read(body: bytes, properties: list[bytes], peak: float) -> None:
    colour = read_main_picture(with_colours(body, nclx(9, 16), *properties).encode()).colour
    assert colour
    assert (colour.curve, colour.peak) == (HdrCurve.PQ, peak)


@pytest.mark.parametrize(
    ("properties", "depth"),
    [
        ([box(b"pixi", bytes(4) + bytes([3, 10, 10, 10]))], 10),
        ([box(b"av1C", bytes([0x81, 0, 0x40, 0]))], 10),
        ([box(b"av1C", bytes([0x81, 0x40, 0x60, 0]))], 12),
        ([box(b"av1C", bytes([0x81, 0, 0, 0]))], 8),
        ([box(b"hvcC", bytes(17) + bytes([0xFA, 0xFA]))], 10),
        ([box(b"pixi", b"")], 8),
    ],
)
def test_the_depth_is_read(properties: list[bytes], depth: int) -> None:
    made = Heif(AVIF)
    for kind in (b"pixi", b"av1C"):
        made.remove(kind)
    made.describe(made.main, *properties)
    assert read_main_picture(made.encode()).depth == depth


@BOTH
@pytest.mark.parametrize(
    ("name", "lost"),
    [
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", []),
        (b"urn:mpeg:hevc:2015:auxid:1", []),
        (DEPTH, ["depth_map"]),
        (b"urn:mpeg:hevc:2015:auxid:2", ["depth_map"]),
        (GAIN_MAP, []),
        (b"urn:com:apple:photo:2018:aux:portraiteffectsmatte", ["auxiliary_images"]),
        (bytes(200), ["auxiliary_images"]),
    ],
)
def test_an_auxiliary_picture_is_named(body: bytes, name: bytes, lost: list[str]) -> None:
    made = Heif(body)
    made.add_item(90, b"av01", is_hidden=True)
    made.refer(b"auxl", 90, made.main)
    made.describe(90, auxiliary(name))
    assert names(read_main_picture(made.encode())) == lost


@BOTH
@pytest.mark.parametrize(
    ("reference", "lost"), [(b"thmb", []), (b"cdsc", ["auxiliary_images"]), (b"", ["auxiliary_images"])]
)
def test_a_thumbnail_is_not_named_but_another_picture_is(body: bytes, reference: bytes, lost: list[str]) -> None:
    made = Heif(body)
    made.add_item(90, b"hvc1")
    made.add_item(91, b"hvc1", is_hidden=True)
    made.add_item(92, b"Exif")
    if reference:
        made.refer(reference, 90, made.main)
    assert names(read_main_picture(made.encode())) == lost


@BOTH
def test_a_gain_map_of_iso_21496_1_is_no_further_picture(body: bytes) -> None:
    made = Heif(body)
    made.add_item(90, b"av01")
    made.add_item(91, b"tmap")
    made.refer(b"dimg", 91, made.main, 90)
    found = read_main_picture(made.encode())
    assert (names(found), found.items.find_tone_map()) == ([], (91, 90))


@BOTH
def test_a_video_is_named(body: bytes) -> None:
    assert names(read_main_picture(Heif(body).encode(box(b"mpvd", b"a video")))) == ["motion_video"]
    assert names(read_main_picture(Heif(body).encode(box(b"moov", b"")))) == ["frames"]


def test_an_animation_has_the_colour_of_its_track() -> None:
    assert names(read_main_picture(SEQUENCE)) == []
    colours = nclx(1, 13)[8:16]
    # The first is the main item's, which the decoder of an animation does not show.
    parts = SEQUENCE.split(colours)
    assert len(parts) == 3
    changed = parts[0] + colours + parts[1] + nclx(12, 13)[8:16] + parts[2]
    assert (read_main_picture(SEQUENCE).colour, read_main_picture(changed).colour) == (SRGB, DISPLAY_P3)
    assert load(changed).n_frames == 2  # type: ignore[attr-defined]


def crowded() -> bytes:
    made = with_colours(AVIF, nclx(12, 13), profile(ICC))
    for item in range(90, 100):
        made.add_item(item, b"av01")
        made.refer(b"auxl", item, made.main, 3, 4)
        made.describe(item, auxiliary(DEPTH), nclx(9, 16))
    return made.encode(box(b"moov", box(b"trak", bytes(9))))


def test_a_damaged_file_is_read_without_another_error() -> None:
    for source in (crowded()[:900], SEQUENCE[:1500], HEIC[:420]):
        for place in range(len(source)):
            read_main_picture(source[:place])
            for mask in (1, 128, 255):
                damaged = bytearray(source)
                damaged[place] ^= mask
                read_main_picture(bytes(damaged))


@pytest.mark.parametrize(
    "content",
    [
        box(
            b"iinf",
            struct.pack(">IH", 0, 60_000) + 60_000 * box(b"infe", struct.pack(">IHH4sx", 2 << 24, 1, 0, b"av01")),
        ),
        box(b"iref", bytes(4) + box(b"auxl", struct.pack(">HH", 1, 60_000) + bytes(120_000))),
        box(b"iprp", box(b"ipma", struct.pack(">II", 0, 60_000) + 60_000 * b"\0\1\0")),
        box(b"iprp", box(b"ipco", b"") + box(b"ipma", struct.pack(">II", 0, 300) + 300 * (b"\0\1\xff" + bytes(255)))),
    ],
    ids=["items", "targets", "properties", "associations"],
)
def test_too_many_entries_are_rejected(content: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        read_main_picture(box(b"ftyp", b"avif" + bytes(4)) + box(b"meta", bytes(4) + content))
    assert caught.value.reason is Reason.TOO_LARGE
