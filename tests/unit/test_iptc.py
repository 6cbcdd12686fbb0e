"""IPTC IIM and Photoshop's resources: read up to what is damaged, selected, written and translated to XMP."""

import numpy as np
import pytest

from imaging import iptc, photoshop, xmp
from imaging.iptc import DataSet

URL = 0x040B
UTF_8 = DataSet(iptc.CHARSET, iptc.UTF_8[0])
BY_LINE, NOTICE, CITY = DataSet((2, 80), b"A. Baker"), DataSet((2, 116), b"(c) A. Baker"), DataSet((2, 90), b"Berlin")
LONG = DataSet((2, 120), b"x" * 40_000)


def test_data_sets_are_written_and_read_back() -> None:
    data_sets = [UTF_8, BY_LINE, LONG, CITY]
    assert iptc.read(iptc.write(data_sets)) == (data_sets, True)
    assert iptc.read(iptc.write(data_sets) + bytes(3)) == (data_sets, True)


def test_what_precedes_damage_is_read() -> None:
    whole = iptc.write([BY_LINE, CITY])
    assert iptc.read(whole[:-1]) == ([BY_LINE], False)


def test_credits_come_with_their_character_set() -> None:
    found = [
        UTF_8,
        DataSet((2, 0), b"\0\4"),
        BY_LINE,
        CITY,
        DataSet((2, 202), b"a thumbnail"),
        DataSet((3, 20), b"\0\1"),
    ]
    assert iptc.select(found, is_all=False) == [UTF_8, BY_LINE]
    assert iptc.select(found, is_all=True) == found[:4]
    assert iptc.select([UTF_8, CITY], is_all=False) == []
    assert iptc.select([UTF_8], is_all=True) == []


@pytest.mark.parametrize(
    ("charset", "value", "text"),
    [
        (iptc.UTF_8[0], "山田 ©".encode(), "山田 ©"),
        (iptc.UTF_8[0], b"\xa9 me", "© me"),
        (b"", "© Jürgen".encode("latin-1"), "© Jürgen"),
        (b"", "© Jürgen".encode(), "© Jürgen"),
        (b"", b"plain\0", "plain"),
        (b"\x1b%/H", "© Jürgen".encode(), "© Jürgen"),
        (b"\x1b.A", "Ã¼".encode("latin-1"), "Ã¼"),
    ],
)
def test_texts_are_decoded_by_the_character_set(charset: bytes, value: bytes, text: str) -> None:
    properties, is_partial = iptc.to_xmp([DataSet(iptc.CHARSET, charset), DataSet((2, 110), value)])
    assert properties == {(xmp.PHOTOSHOP, "Credit"): text}
    assert not is_partial


def test_a_text_in_another_character_set_is_told() -> None:
    russian = DataSet(iptc.CHARSET, b"\x1b-L")
    assert iptc.to_xmp([russian, DataSet((2, 110), "Фото".encode("iso-8859-5"))])[1]
    assert not iptc.to_xmp([russian, DataSet((2, 110), b"plain")])[1]


def test_credits_become_the_standard_properties() -> None:
    properties, is_partial = iptc.to_xmp([BY_LINE, DataSet((2, 80), b"B. Cook"), NOTICE, DataSet((2, 0), b"\0\4")])
    assert list(properties) == [(xmp.DC, "creator"), (xmp.DC, "rights")]
    assert list(xmp.list_texts(properties[xmp.DC, "creator"]))[2:] == ["A. Baker", "B. Cook"]
    assert b'<rdf:Alt><rdf:li xml:lang="x-default">(c) A. Baker<' in xmp.Packet(properties, {}).to_bytes()
    assert not is_partial


@pytest.mark.parametrize("other", [DataSet((2, 8), b"x"), NOTICE])
def test_what_xmp_has_no_place_for_is_told(other: DataSet) -> None:
    assert iptc.to_xmp([NOTICE, other])[1]


def test_damaged_blocks_raise_nothing() -> None:
    chosen = np.random.default_rng(1)
    whole = photoshop.write({photoshop.IIM: iptc.write([UTF_8, BY_LINE, LONG, CITY]), URL: b"https://x"})
    for _ in range(3000):
        body = bytearray(whole[: chosen.integers(len(whole))])
        for _ in range(chosen.integers(5) if body else 0):
            body[chosen.integers(len(body))] = chosen.choice([0, 0x1C, 0x80, 0xFF, 0x42])
        resources, _ = photoshop.read(bytes(body))
        for block in (*resources.values(), bytes(body)):
            iptc.to_xmp(iptc.read(block)[0])
