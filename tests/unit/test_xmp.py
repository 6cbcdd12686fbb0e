"""XMP is read whatever its encoding, prefixes and syntax, and written so that every reader understands it."""

import numpy as np
import pytest

from errors import MalformedError
from imaging import xmp

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
TEXT = "© <Jürgen> & \"山田\"\n\t'x' "
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="a kit"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="uuid:1" xmlns:d="http://purl.org/dc/elements/1.1/" xmlns:my="http://example.com/my/"
 xmlns:ps="http://ns.adobe.com/photoshop/1.0/" my:note="a &amp; b&#10;c" ps:Credit="An agency">
<d:creator><r:Seq><r:li>山田</r:li><r:li><![CDATA[J. <Müller>]]></r:li></r:Seq></d:creator>
<d:rights><r:Alt><r:li xml:lang="x-default">© me</r:li></r:Alt></d:rights></r:Description>
<r:Description xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"><plus:Licensor><r:Bag>
<r:li r:parseType="Resource"><plus:LicensorURL>https://example.com/?a=1&amp;b=2</plus:LicensorURL></r:li>
</r:Bag></plus:Licensor></r:Description></r:RDF></x:xmpmeta><?xpacket end="w"?>"""


def wrap(content: str, attributes: str = "") -> bytes:
    return (
        f'<r:RDF xmlns:r="{RDF}"><r:Description xmlns:dc="{DC}" {attributes}>{content}</r:Description></r:RDF>'
    ).encode()


@pytest.mark.parametrize("padding", ["", "\0\0\0", " \n", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_every_encoding_is_read(encoding: str, padding: str) -> None:
    found = xmp.parse((PACKET + padding).encode(encoding))
    assert list(xmp.list_texts(found.properties[DC, "creator"]))[2:] == ["山田", "J. <Müller>"]
    assert found.properties["http://example.com/my/", "note"] == "a & b\nc"
    assert found == xmp.parse(PACKET.encode())


def test_invalid_utf_8_is_latin_1() -> None:
    found = xmp.parse(wrap("<dc:source>Jürgen 山</dc:source>").replace("ü".encode(), b"\xfc"))
    assert xmp.read_text(found.properties[DC, "source"]) == "Jürgen 山"


def test_a_packet_is_written_with_the_usual_prefixes_and_every_character() -> None:
    written = xmp.parse(PACKET.encode()).to_bytes()
    assert xmp.parse(written).properties == xmp.parse(PACKET.encode()).properties
    for expected in (
        "<dc:creator><rdf:Seq><rdf:li>山田<",
        'photoshop:Credit="An agency"',
        'my:note="',
        'rdf:parseType="Resource"',
    ):
        assert expected in written.decode()


def test_values_that_are_made_are_read_back() -> None:
    name = (DC, "creator")
    packet = xmp.Packet({name: xmp.make_list(name, "Seq", [TEXT]), ("http://a/", "b"): TEXT}, {})
    read = xmp.parse(packet.to_bytes()).properties
    assert list(xmp.list_texts(read[name]))[-1] == TEXT
    assert read["http://a/", "b"] == TEXT


def test_characters_that_xml_lacks_are_left_out() -> None:
    packet = xmp.Packet({("http://a/", "b"): "a\0\x1f\ufffeb"}, {})
    assert xmp.parse(packet.to_bytes()).properties == {("http://a/", "b"): "ab"}


def test_prefixes_that_clash_are_renamed() -> None:
    names = [("http://a/", "one"), ("http://b/", "two"), (DC, "source"), ("http://c/", "three"), ("http://d/", "four")]
    packet = xmp.Packet(
        dict.fromkeys(names, "x"), {"http://a/": "dc", "http://b/": "p", "http://c/": "p", "http://d/": "x"}
    )
    assert list(xmp.parse(packet.to_bytes()).properties) == names


def test_the_first_value_of_a_property_counts() -> None:
    found = xmp.parse(wrap("<dc:source>second</dc:source>", 'dc:source="first"'))
    assert found.properties == {(DC, "source"): "first"}
    twice = wrap("", 'dc:source="first"').replace(b"</r:RDF>", b'<r:Description xmlns:d="%s" d:source="x"/></r:RDF>')
    assert xmp.parse(twice % DC.encode()).properties == {(DC, "source"): "first"}
    other = xmp.Packet({(DC, "source"): "x", (DC, "format"): "y"}, {})
    assert found.merge(other).properties == {(DC, "source"): "first", (DC, "format"): "y"}


def test_without_properties_there_is_no_packet() -> None:
    assert xmp.EMPTY.to_bytes() == b""


def test_sizes_add_up_to_the_packet() -> None:
    packet = xmp.parse(PACKET.encode())
    without = {name: value for name, value in packet.properties.items() if name != (DC, "creator")}
    smaller = xmp.Packet(without, packet.prefixes)
    assert len(packet.to_bytes()) - len(smaller.to_bytes()) == packet.measure()[DC, "creator"]


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (b"", "not XML"),
        (b"\xff\xfe", "not XML"),
        (b"a text", "not XML"),
        (wrap("<dc:source>"), "not XML"),
        (wrap("<no:prefix/>"), "not XML"),
        (wrap("<dc:source>\x01</dc:source>"), "not XML"),
        (b"<a/>", "no rdf:RDF"),
        (b"<a><b/></a>", "no rdf:RDF"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "DTD"),
        (wrap("&undefined;"), "not XML"),
        (b"<a>" * (xmp.MAX_DEPTH + 1), "deep"),
        (wrap("<dc:a/>" * xmp.MAX_MARKS), "too many"),
        (b"<a " + b"b=''" * xmp.MAX_MARKS, "too many"),
        (bytes(xmp.MAX_BYTES + 1), "bytes"),
    ],
)
def test_other_xml_is_refused(packet: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        xmp.parse(packet)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_damaged_packets_raise_nothing_else(encoding: str) -> None:
    whole = PACKET.encode(encoding)
    chosen = np.random.default_rng(1)
    damaged = [whole[:length] for length in range(len(whole))]
    for _ in range(2000):
        body = bytearray(whole)
        for _ in range(chosen.integers(1, 5)):
            body[chosen.integers(len(body))] = chosen.integers(256)
        damaged.append(bytes(body))
    for one in damaged:
        try:
            packet = xmp.parse(one)
        except MalformedError:
            continue
        assert xmp.parse(packet.to_bytes() or wrap("")).properties == packet.properties
