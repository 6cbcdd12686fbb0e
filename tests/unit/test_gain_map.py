"""The values of a gain map: both forms that they are stored in, and Apple's."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import MalformedError
from imaging import gain_map
from imaging.formats import apple_note
from imaging.gain_map import Channel, Gains
from tests.images import apple_exif

ROUNDED = 1 / gain_map.DENOMINATOR


def make_numbers(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False).map(lambda value: round(value, 4))


CHANNELS = st.builds(
    lambda least, above, gamma, base, alternate: Channel(least, least + above, gamma, base, alternate),
    *(make_numbers(-8, 8), make_numbers(0, 8), make_numbers(0.1, 4), make_numbers(0, 1), make_numbers(-1, 1)),
)
GAINS = st.builds(
    lambda channels, low, above, is_hdr, has_base_colours: Gains(
        tuple(channels), *((low + above, low) if is_hdr else (low, low + above)), has_base_colours
    ),
    st.one_of(st.tuples(CHANNELS), st.tuples(CHANNELS, CHANNELS, CHANNELS)),
    *(make_numbers(0, 2), make_numbers(0.1, 6), st.booleans(), st.booleans()),
)


def list_values(gains: Gains) -> list[float]:
    return [gains.base_headroom, gains.alternate_headroom, *(value for channel in gains.channels for value in channel)]


@given(GAINS)
def test_iso_values_are_read_as_written(gains: Gains) -> None:
    again = gain_map.read_iso(gain_map.write_iso(gains))
    assert list_values(again) == pytest.approx(list_values(gains), abs=ROUNDED)
    assert again.has_base_colours == gains.has_base_colours


@given(GAINS)
def test_values_in_xmp_are_read_as_written(gains: Gains) -> None:
    again = gain_map.read_xmp(gain_map.write_xmp(gains))
    assert list_values(again) == pytest.approx(list_values(gains), abs=ROUNDED)


@given(st.binary(max_size=160))
def test_any_bytes_are_values_or_malformed(data: bytes) -> None:
    for body in (data, gain_map.VERSION + data):
        try:
            gains = gain_map.read_iso(body)
        except MalformedError:
            continue
        assert all(math.isfinite(value) for value in list_values(gains))
        gain_map.write_iso(gains)


@given(
    st.dictionaries(
        st.sampled_from([*gain_map.XMP_DEFAULTS, gain_map.BASE_IS_HDR]), st.lists(st.text(max_size=8), max_size=4)
    )
)
def test_any_texts_are_values_or_malformed(values: dict[str, list[str]]) -> None:
    try:
        gains = gain_map.read_xmp(values)
    except MalformedError:
        return
    gain_map.write_iso(gains)


def test_a_denominator_for_all_values() -> None:
    """It stands before all values if libultrahdr finds it."""
    flags = gain_map.OWN_COLOURS | gain_map.COMMON_DENOMINATOR
    body = gain_map.VERSION + bytes([flags]) + struct.pack(">III iiIii", 64, 0, 128, -64, 192, 64, 1, 2)
    assert gain_map.read_iso(body) == Gains((Channel(-1, 3, 1, 1 / 64, 2 / 64),), 0, 2)


def test_properties_may_be_missing_from_xmp() -> None:
    """Adobe's specification gives them these values."""
    gains = gain_map.read_xmp({"GainMapMax": ["2"], "HDRCapacityMax": ["3"]})
    assert gains == Gains((Channel(0, 2, 1, 1 / 64, 1 / 64),), 0, 3)


def test_the_base_may_be_the_hdr_rendition() -> None:
    values = {"GainMapMax": ["2"], "HDRCapacityMax": ["3"], "OffsetHDR": ["0.5"], "BaseRenditionIsHDR": ["True"]}
    gains = gain_map.read_xmp(values)
    assert gains == Gains((Channel(0, 2, 1, 0.5, 1 / 64),), 3, 0)
    assert gain_map.write_xmp(gains)["BaseRenditionIsHDR"] == ["True"]


@pytest.mark.parametrize(
    "values",
    [
        {"HDRCapacityMax": ["3"]},
        {"GainMapMax": ["2"]},
        {"GainMapMax": ["2", "2"], "HDRCapacityMax": ["3"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["3", "3", "3"]},
        {"GainMapMax": ["nan"], "HDRCapacityMax": ["3"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["0"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["1e9"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["3"], "Gamma": ["0"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["3"], "GainMapMin": ["2.5"]},
        {"GainMapMax": ["2"], "HDRCapacityMax": ["3"], "HDRCapacityMin": ["-1"]},
    ],
)
def test_values_without_a_rendition_are_malformed(values: dict[str, list[str]]) -> None:
    with pytest.raises(MalformedError):
        gain_map.read_xmp(values)


def test_a_later_version_of_iso_21496_is_malformed() -> None:
    body = gain_map.write_iso(Gains((Channel(0, 2, 1, 0, 0),), 0, 2))
    with pytest.raises(MalformedError, match="version 1"):
        gain_map.read_iso(b"\0\1" + body[2:])


@pytest.mark.parametrize("headroom", [1.5, 2.0, 4.9, 8.0])
def test_an_apple_gain_map_multiplies_as_apple_does(headroom: float) -> None:
    gains = gain_map.make_apple_gains(headroom)
    (channel,) = gains.channels
    levels = np.arange(256) / 255
    linear = np.where(levels < 0.081, levels / 4.5, ((levels + 0.099) / 1.099) ** (1 / 0.45))
    stops = channel.maximum * np.asarray(gain_map.make_apple_table(headroom)) / 255
    # Half a level is the rounding of the table.
    assert np.abs(stops - np.log2(1 + (headroom - 1) * linear)).max() <= channel.maximum / 255 * 0.501
    assert (channel.minimum, gains.alternate_headroom) == (0, math.log2(headroom))


@pytest.mark.parametrize("headroom", [1.0, 0.0, -3.0, math.nan, math.inf])
def test_an_apple_gain_map_without_headroom_is_malformed(headroom: float) -> None:
    with pytest.raises(MalformedError):
        gain_map.make_apple_gains(headroom)


@pytest.mark.parametrize(
    ("headroom", "gain", "stops"),
    # The four cases of Apple's documentation.
    [(0.5, 0.005, 1.7), (0.5, 1.0, 1.5), (1.0, 0.01, 2.3), (1.2, 1.0, 2.0), (1.2, None, 3.0), (0.9, 30.0, 0.0)],
)
def test_the_headroom_of_a_maker_note(headroom: float, gain: float | None, stops: float) -> None:
    assert apple_note.read_headroom(apple_exif(headroom, gain)) == pytest.approx(2**stops, rel=1e-3)


def test_no_headroom() -> None:
    note = apple_exif(1.0, 0.0)
    assert apple_note.read_headroom(b"") is None
    assert apple_note.read_headroom(note.replace(b"Apple iOS", b"Apple iPs")) is None
    assert apple_note.read_headroom(note.replace(struct.pack(">ii", 1000, 1000), bytes(8))) is None


@given(st.data())
def test_any_maker_note_has_a_headroom_or_none(data: st.DataObject) -> None:
    note = bytearray(apple_exif(1.2, 0.5))
    for place in data.draw(st.lists(st.integers(0, len(note) - 1), max_size=4)):
        note[place] = data.draw(st.integers(0, 255))
    found = apple_note.read_headroom(bytes(note[: data.draw(st.integers(0, len(note)))]))
    assert found is None or 1 <= found <= 8
