"""XMP: reads a packet's properties, whatever prefixes and encoding it uses, and writes properties as a packet."""

import codecs
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from errors import MalformedError

MAX_BYTES = 4 << 20
"""The largest packet that is read. Depth maps and Photoshop's histories have megabytes."""

MAX_MARKS = 100_000
"""The most ``<`` and ``=`` of a packet: an element has up to two, an attribute one, and each takes memory and time."""

MAX_DEPTH = 64
"""The deepest nesting of elements. XMP's standard properties have up to 12."""

ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""How a packet begins that is not UTF-8 (ISO 16684-1, 7.3)."""

LATIN_1 = {0xDC00 + byte: byte for byte in range(128, 256)}
"""Maps the characters that Python decodes invalid bytes of UTF-8 to (PEP 383) to the bytes' characters in Latin-1."""

RDF, XML = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/XML/1998/namespace"
CAMERA_RAW, DC, DC_TERMS, EXIF, IPTC_CORE, IPTC_EXT, NOTE, PHOTOSHOP, PLUS, RIGHTS, TIFF, XMP = (
    "http://ns.adobe.com/camera-raw-settings/1.0/",
    "http://purl.org/dc/elements/1.1/",
    "http://purl.org/dc/terms/",
    "http://ns.adobe.com/exif/1.0/",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "http://ns.adobe.com/xmp/note/",
    "http://ns.adobe.com/photoshop/1.0/",
    "http://ns.useplus.org/ldf/xmp/1.0/",
    "http://ns.adobe.com/xap/1.0/rights/",
    "http://ns.adobe.com/tiff/1.0/",
    "http://ns.adobe.com/xap/1.0/",
)

CAMERA, CONTAINER, ITEM, DEPTH_MAP = (
    "http://ns.google.com/photos/1.0/camera/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/container/item/",
    "http://ns.google.com/photos/1.0/depthmap/",
)
"""Google's namespaces: developer.android.com/media/platform/motion-photo-format and .../hdr-image-format."""

GAIN_MAP, APPLE_GAIN_MAP, APPLE_PIXELS = (
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/",
)
"""The namespaces of gain maps' values, Adobe's and Apple's, and of the kinds of Apple's pictures."""

PREFIXES = {
    RDF: "rdf",
    XML: "xml",
    CAMERA_RAW: "crs",
    DC: "dc",
    DC_TERMS: "dcterms",
    EXIF: "exif",
    IPTC_CORE: "Iptc4xmpCore",
    IPTC_EXT: "Iptc4xmpExt",
    PHOTOSHOP: "photoshop",
    PLUS: "plus",
    RIGHTS: "xmpRights",
    TIFF: "tiff",
    XMP: "xmp",
}
"""The usual prefixes (ISO 16684-1, 8; IPTC Photo Metadata Standard). Others are written as the source has them."""

SEPARATOR = "\x01"
"""What expat puts between the URI of a namespace and a name. It refuses URIs with this character."""

SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
ESCAPES = str.maketrans(SPECIAL)
"""Characters to be escaped: an XML parser would change white space in attributes."""

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 doesn't have."""

Name = tuple[str, str]
"""The URI of a namespace, which is empty for names without one, and the name in it."""


@dataclass(frozen=True)
class Element:
    """An element of the packet.

    Attributes:
        text: Its text; empty if it has children.

    """

    name: Name
    attributes: Mapping[Name, str]
    children: Sequence["Element"]
    text: str = ""


Value = str | Element
"""The value of a property: text, or the element that holds it: a list, a structure, alternatives in languages."""


@dataclass(frozen=True)
class Packet:
    """The properties of an image.

    Attributes:
        properties: By name, in order. The first of several with one name counts.
        prefixes: The source's prefix of each namespace.

    """

    properties: Mapping[Name, Value]
    prefixes: Mapping[str, str]

    def merge(self, other: "Packet") -> "Packet":
        """Return the properties of both; of a property that both have, this packet's."""
        return Packet({**other.properties, **self.properties}, {**other.prefixes, **self.prefixes})

    def to_bytes(self) -> bytes:
        """Return a packet in UTF-8; empty without properties."""
        if not self.properties:
            return b""
        prefixes = self._choose_prefixes()
        simple = {name: value for name, value in self.properties.items() if isinstance(value, str)}
        elements = [value for value in self.properties.values() if not isinstance(value, str)]
        spaces = "".join(
            f' xmlns:{prefix}="{uri.translate(ESCAPES)}"'
            for uri, prefix in prefixes.items()
            if uri not in {RDF, XML, ""}
        )
        return (
            f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""{spaces}'
            f"{_write_attributes(simple, prefixes)}>{''.join(_write(element, prefixes) for element in elements)}"
            "</rdf:Description></rdf:RDF></x:xmpmeta>"
        ).encode()

    def measure(self) -> dict[Name, int]:
        """Return how many bytes of the packet each property takes, without its namespaces."""
        prefixes = self._choose_prefixes()
        return {
            name: len(
                (
                    _write_attributes({name: value}, prefixes) if isinstance(value, str) else _write(value, prefixes)
                ).encode()
            )
            for name, value in self.properties.items()
        }

    def _choose_prefixes(self) -> dict[str, str]:
        """Return a prefix for each namespace that is used: the usual one, the source's, or a number."""
        elements = (value for value in self.properties.values() if not isinstance(value, str))
        uris = dict.fromkeys(uri for uri, _ in self.properties)
        for element in elements:
            uris |= dict.fromkeys(_list_namespaces(element))
        chosen = {uri: PREFIXES[uri] for uri in uris if uri in PREFIXES}
        taken, numbers = {*PREFIXES.values(), "x"}, itertools.count(1)
        for uri in uris.keys() - chosen.keys() - {""}:
            prefix = self.prefixes.get(uri, "ns")
            while prefix in taken:
                prefix = f"ns{next(numbers)}"
            chosen[uri] = prefix
            taken.add(prefix)
        return {uri: chosen[uri] for uri in uris if uri}


EMPTY = Packet({}, {})


def parse(data: bytes) -> Packet:
    """Read a packet of any encoding. Bytes that aren't UTF-8 are read as Latin-1.

    Raises:
        MalformedError: It isn't XML with ``rdf:RDF``, has a DTD, or is too long or too deep.

    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"it has {len(data)} bytes: {MAX_BYTES} are allowed")
    text = _decode(data)
    if text.count("<") + text.count("=") > MAX_MARKS:
        raise MalformedError("it has too many elements and attributes")
    # Few images have XMP, and the library takes time to load.
    from xml.parsers import expat  # noqa: PLC0415

    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.add_text
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]:
            raise MemoryError from error
        raise MalformedError(f"it is not XML: {error}") from error
    return Packet(_list_properties(builder.root), builder.prefixes)


def _decode(data: bytes) -> str:
    encoding = next((encoding for start, encoding in ENCODINGS if data.startswith(start)), None)
    # Some writers pad packets with zeros.
    return (data.decode(encoding, "replace") if encoding else decode_text(data)).strip("\ufeff\0 \t\r\n")


def decode_text(data: bytes) -> str:
    """Decode UTF-8; read a byte that isn't UTF-8 as Latin-1."""
    return data.decode("utf-8", "surrogateescape").translate(LATIN_1)


def _list_properties(root: Element) -> dict[Name, Value]:
    """Return the properties of all descriptions, as attributes and as elements (ISO 16684-1, 7.5 and 7.9.2)."""
    rdf = next((element for element in (root, *root.children) if element.name == (RDF, "RDF")), None)
    if rdf is None:
        raise MalformedError("it has no rdf:RDF")
    found: dict[Name, Value] = {}
    for description in rdf.children:
        for name, text in description.attributes.items():
            if name[0] not in {RDF, XML, ""}:
                found.setdefault(name, text)
        for element in description.children:
            if element.name[0]:
                found.setdefault(element.name, element)
    return found


class _Builder:
    """Collects elements while they are parsed."""

    def __init__(self) -> None:
        self.root = Element(("", ""), {}, ())
        self.prefixes: dict[str, str] = {}
        self._open: list[tuple[Name, dict[Name, str], list[Element], list[str]]] = []

    def refuse_doctype(self, *_: object) -> None:
        raise MalformedError("it has a DTD")

    def declare(self, prefix: str | None, uri: str | None) -> None:
        if prefix and uri:
            self.prefixes.setdefault(uri, prefix)

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) == MAX_DEPTH:
            raise MalformedError(f"its elements are nested more than {MAX_DEPTH} deep")
        self._open.append((_split(name), {_split(key): text for key, text in attributes.items()}, [], []))

    def end(self, _: str) -> None:
        name, attributes, children, texts = self._open.pop()
        element = Element(name, attributes, children, "" if children else "".join(texts))
        if self._open:
            self._open[-1][2].append(element)
        else:
            self.root = element

    def add_text(self, text: str) -> None:
        self._open[-1][3].append(text)


def _split(name: str) -> Name:
    """Split what expat joins: a namespace's URI and a name in it."""
    uri, _, local = name.rpartition(SEPARATOR)
    return uri, local


def _list_namespaces(element: Element) -> Iterator[str]:
    yield element.name[0]
    for uri, _ in element.attributes:
        yield uri
    for child in element.children:
        yield from _list_namespaces(child)


def _write(element: Element, prefixes: Mapping[str, str]) -> str:
    tag, attributes = _write_name(element.name, prefixes), _write_attributes(element.attributes, prefixes)
    content = "".join(_write(child, prefixes) for child in element.children) or _escape(element.text)
    return f"<{tag}{attributes}>{content}</{tag}>" if content else f"<{tag}{attributes}/>"


def _write_attributes(attributes: Mapping[Name, str], prefixes: Mapping[str, str]) -> str:
    return "".join(f' {_write_name(name, prefixes)}="{_escape(text)}"' for name, text in attributes.items())


def _write_name(name: Name, prefixes: Mapping[str, str]) -> str:
    uri, local = name
    return f"{prefixes[uri]}:{local}" if uri else local


def _escape(text: str) -> str:
    return FORBIDDEN.sub("", text).translate(ESCAPES)


def read_text(value: Value) -> str:
    """Return the text of a simple property; empty for others."""
    return (value if isinstance(value, str) else value.text).strip()


def list_texts(value: Value) -> Iterator[str]:
    """Yield each text in a value."""
    if isinstance(value, str):
        yield value
        return
    yield value.text
    for child in value.children:
        yield from list_texts(child)


def make_list(name: Name, kind: str, texts: Sequence[str]) -> Element:
    """Return a property with a list of texts.

    Args:
        name: Of the property.
        kind: ``Bag``, ``Seq``, or ``Alt``, whose only text is the one in no particular language.
        texts: The items.

    """
    language = {(XML, "lang"): "x-default"} if kind == "Alt" else {}
    items = [Element((RDF, "li"), language, (), text) for text in texts]
    return Element(name, {}, [Element((RDF, kind), {}, items)])
