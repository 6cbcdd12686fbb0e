"""What a JPEG carries beside its main picture is found and named, whatever its bytes are."""

import struct
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.formats import inspect, jpeg_pictures, jpeg_segments
from imaging.gain_map import Channel, Gains
from imaging.losses import Lost
from imaging.records import Header
from tests import gain_maps
from tests.gain_maps import STOPS, Other, add, combine, directory, xmp
from tests.images import apple_exif, encode, picture, segment

BASE, MAP = gain_maps.hdr_pictures(64, 48)
GAINS = Gains((Channel(0, STOPS, 1, 1 / 64, 1 / 64),), 0, STOPS)
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(200)

HDR = {
    "iso": gain_maps.iso_jpeg(BASE, MAP),
    "ultra-hdr": gain_maps.ultra_hdr_jpeg(BASE, MAP),
    "apple": gain_maps.apple_jpeg(BASE, MAP),
    "apple-note": gain_maps.apple_jpeg(add(BASE, segment(0xE1, b"Exif\0\0" + apple_exif(1.0, 0.01))), MAP, ""),
}


def find(body: bytes) -> jpeg_pictures.Found:
    structure = jpeg_segments.read_structure(body)
    return jpeg_pictures.find(body, structure.header, structure.exif)


def list_lost(body: bytes) -> set[Lost]:
    return {loss.what for loss in find(body).losses}


@pytest.mark.parametrize("name", HDR)
def test_a_gain_map_is_found(name: str) -> None:
    found = find(HDR[name])
    assert found.gain_map is not None
    assert HDR[name].endswith(found.gain_map.body)
    assert (found.problem, found.losses) == ("", ())
    assert found.gain_map.gains.alternate_headroom == pytest.approx({"apple": 2, "apple-note": 2.3}.get(name, STOPS))
    assert (found.gain_map.gains == GAINS) == (found.gain_map.table is None)


def test_a_list_of_values_in_xmp() -> None:
    several = "".join(f"<rdf:li>{stops}</rdf:li>" for stops in (1, 2, 3))
    listed = f"<hdrgm:GainMapMax><rdf:Seq>{several}</rdf:Seq></hdrgm:GainMapMax>"
    values = 'hdrgm:Version="1.0" hdrgm:HDRCapacityMax="3"'
    found = find(gain_maps.ultra_hdr_jpeg(BASE, MAP, values, listed)).gain_map
    assert found is not None
    assert [channel.maximum for channel in found.gains.channels] == [1, 2, 3]


def test_a_directory_in_the_other_byte_order() -> None:
    behind = add(MAP, segment(0xE2, gain_maps.ISO_NAME + gain_maps.ISO))
    found = find(combine(BASE, [Other(behind)], "<")).gain_map
    assert found is not None
    assert found.body == behind


@pytest.mark.parametrize("padding", [0, 7])
def test_a_gain_map_in_the_container_alone(padding: int) -> None:
    """The first files of Ultra HDR had no directory of pictures; another item may come first."""
    behind = add(MAP, xmp(gain_maps.ULTRA_HDR))
    items = [
        {"Semantic": "Primary", "Mime": "image/jpeg", "Padding": padding},
        {"Semantic": "Depth", "Mime": "image/jpeg", "Length": len(MAP)},
        {"Semantic": "GainMap", "Mime": "image/jpeg", "Length": len(behind)},
    ]
    main = add(BASE, xmp('hdrgm:Version="1.0"', directory(items)))
    found = find(main + bytes(padding) + MAP + behind)
    assert found.gain_map is not None
    assert found.gain_map.body == behind
    assert list_lost(main + bytes(padding) + MAP + behind) == {Lost.DEPTH_MAP}


def test_a_directory_of_wrong_offsets() -> None:
    """An editor inserted a segment into the main picture: the map is right behind it still, as libultrahdr expects."""
    found = find(add(HDR["ultra-hdr"], segment(0xE5, bytes(100)))).gain_map
    assert found is not None
    assert HDR["ultra-hdr"].endswith(found.body)


@pytest.mark.parametrize(
    "body",
    [
        add(BASE, xmp('hdrgm:Version="1.0"')),
        add(BASE, segment(0xE2, gain_maps.ISO_NAME + bytes(4))),
        gain_maps.iso_jpeg(BASE, MAP, gain_maps.ISO[:-1]),
        gain_maps.iso_jpeg(BASE, MAP, b"\0\1" + gain_maps.ISO[2:]),
        gain_maps.iso_jpeg(BASE, MAP, gain_maps.ISO[:-4] + bytes(4)),
        gain_maps.ultra_hdr_jpeg(BASE, MAP, 'hdrgm:Version="1.0"'),
        gain_maps.apple_jpeg(BASE, MAP, ""),
        gain_maps.apple_jpeg(BASE, MAP, "inf"),
        HDR["iso"][: -len(MAP) // 2],
    ],
)
def test_a_gain_map_that_cannot_be_kept_is_named(body: bytes) -> None:
    header = inspect(body)
    assert header.gain_map is None
    assert "the gain map is" in header.gain_map_problem


def test_a_gain_map_with_too_much_metadata_is_named() -> None:
    header = inspect(gain_maps.iso_jpeg(BASE, add(MAP, *[segment(0xE5)] * 20_000)))
    assert header.gain_map is None
    assert "too much metadata" in header.gain_map_problem
    header = inspect(gain_maps.iso_jpeg(BASE, add(MAP, *[segment(0xE5)] * 60_000)))
    assert "more than" in header.gain_map_problem


@pytest.mark.parametrize(
    ("others", "lost"),
    [
        # A thumbnail, and a preview that has no kind.
        ([Other(encode(picture(16, 16)), 0x010001), Other(MAP, 0x010002), Other(encode(picture(32, 24)))], set()),
        # The other view of a stereo picture, and a picture of another shape.
        ([Other(BASE, 0x020002)], {Lost.AUXILIARY_IMAGES}),
        ([Other(encode(picture(16, 16)))], {Lost.AUXILIARY_IMAGES}),
        (
            [
                Other(
                    add(
                        MAP,
                        xmp(
                            "",
                            "<apdi:AuxiliaryImageType>urn:com:apple:photo:2018:aux:portraiteffectsmatte</apdi:AuxiliaryImageType>",
                        ),
                    )
                )
            ],
            {Lost.AUXILIARY_IMAGES},
        ),
        ([Other(add(MAP, xmp("", "<apdi:AuxiliaryImageType>disparity</apdi:AuxiliaryImageType>")))], {Lost.DEPTH_MAP}),
    ],
)
def test_other_pictures_are_named(others: list[Other], lost: set[Lost]) -> None:
    assert list_lost(combine(BASE, others)) == lost
    assert find(combine(BASE, others)).gain_map is None


@pytest.mark.parametrize("name", ["GDepth:Format", "GDepth:Near"])
def test_a_depth_map_in_xmp_is_named(name: str) -> None:
    assert list_lost(add(BASE, xmp(f'{name}="1"'))) == {Lost.DEPTH_MAP}


@pytest.mark.parametrize(
    "announced",
    [
        xmp('GCamera:MotionPhoto="1"'),
        xmp('GCamera:MicroVideo="1"'),
        xmp("", directory([{"Semantic": "Primary"}, {"Semantic": "MotionPhoto", "Length": len(VIDEO)}])),
    ],
)
def test_the_video_of_a_motion_photo_is_named(announced: bytes) -> None:
    assert list_lost(add(BASE, announced) + VIDEO) == {Lost.MOTION_VIDEO}
    # It has been removed already.
    assert list_lost(add(BASE, announced)) == set()


def test_the_video_in_a_trailer_of_samsung_is_named() -> None:
    trailer = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + VIDEO + b"SEFH" + bytes(24) + b"SEFT"
    assert list_lost(BASE + trailer) == {Lost.MOTION_VIDEO}
    assert list_lost(BASE + trailer.replace(b"MotionPhoto_Data", b"Image_UTC_Data1")) == set()


def test_an_ordinary_jpeg_has_nothing_beside_it() -> None:
    for body in (BASE, add(BASE, segment(0xE1, gain_maps.XMP_NAME + b"<x:xmpmeta/>"))):
        assert not jpeg_segments.announces_more(body, jpeg_segments.read_structure(body).header)
        assert find(body) == jpeg_pictures.Found()


@pytest.mark.parametrize("name", HDR)
def test_every_truncation_is_inspected(name: str) -> None:
    for end in range(2, len(HDR[name])):
        inspect(HDR[name][:end] if end > 3 else b"\xff\xd8\xff")


@settings(max_examples=300)
@given(st.sampled_from(sorted(HDR)), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6))
def test_any_bytes_are_inspected(name: str, changes: list[tuple[int, int]]) -> None:
    body = bytearray(HDR[name])
    for place, value in changes:
        body[3 + place % (len(body) - 3)] = value
    assert isinstance(inspect(bytes(body)), Header)


def test_entries_that_overlap_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of 4,000 entries for one picture would otherwise cost 4,000 times as much as one."""
    read: list[int] = []
    within = jpeg_pictures._Part.within
    monkeypatch.setattr(jpeg_pictures._Part, "within", partial(_note, read, within))
    whole = combine(BASE, [Other(BASE, 0x020002)] * 3)
    place = whole.index(b"MPF\0") + 4
    first = struct.unpack_from(">I", whole, place + 50 + 16 + 8)
    for entry in (2, 3):
        whole = _replace(whole, place + 50 + 16 * entry + 8, struct.pack(">I", *first))
    assert list_lost(whole) == {Lost.AUXILIARY_IMAGES}
    assert len(read) == 1


def _note(read: list[int], within: object, body: bytes, start: int, end: int) -> object:
    read.append(start)
    return within(body, start, end)  # type: ignore[operator]


def _replace(body: bytes, place: int, data: bytes) -> bytes:
    return body[:place] + data + body[place + len(data) :]
