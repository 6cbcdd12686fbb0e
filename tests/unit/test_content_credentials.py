"""Content Credentials (C2PA): a manifest store in a source is named as lost; its bytes elsewhere are not."""

import struct

import pytest
from PIL import Image, TiffImagePlugin

from imaging.formats import inspect
from imaging.losses import Lost
from tests.images import encode, picture, segment
from tests.pngs import chunk
from tests.unit.rendering import render_one

C2PA_TYPE = b"c2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x00\x38\x9b\x71"
DESCRIPTION = struct.pack(">I", 30) + b"jumd" + C2PA_TYPE + b"\x03c2pa\0"
STORE = struct.pack(">I", 8 + len(DESCRIPTION)) + b"jumb" + DESCRIPTION
"""A manifest store without manifests (ISO/IEC 19566-5): a superbox with its description."""

APP_11 = b"JP\x02\x11\0\0\0\1"
LONG_STORE = struct.pack(">I4sQ", 1, b"jumb", 16 + len(DESCRIPTION)) + DESCRIPTION
OTHER_STORE = STORE.replace(C2PA_TYPE, b"json" + C2PA_TYPE[4:])
UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def jpeg(kind: int, data: bytes) -> bytes:
    """Return a JPEG with one more segment."""
    body = encode(picture())
    return body[:2] + segment(kind, data) + body[2:]


def png(kind: bytes, data: bytes = STORE, *, is_last: bool = False) -> bytes:
    """Return a PNG with one more chunk, before or behind the pixels."""
    body = encode(picture(), "PNG")
    at = -12 if is_last else 33
    return body[:at] + chunk(kind, data) + body[at:]


def webp(kind: bytes, data: bytes = STORE) -> bytes:
    body = encode(picture(), "WEBP") + struct.pack("<4sI", kind, len(data)) + data + bytes(len(data) % 2)
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


def gif(extension: bytes) -> bytes:
    """Return a GIF with one more extension before its trailer."""
    return encode(picture(), "GIF")[:-1] + b"\x21" + extension + bytes([len(STORE)]) + STORE + b"\0\x3b"


def tiff(tag: int, *, page: int = 0) -> bytes:
    pages = [picture(), picture()]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = STORE
    tags.tagtype[tag] = 7
    pages[page].encoderinfo = {"tiffinfo": tags}
    return encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def avif(kind: bytes, data: bytes) -> bytes:
    return encode(picture(), "AVIF") + struct.pack(">I4s", 8 + len(data), kind) + data


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(jpeg(0xEB, APP_11 + STORE), id="JPEG"),
        pytest.param(jpeg(0xEB, APP_11 + LONG_STORE), id="JPEG, long box"),
        pytest.param(png(b"caBX"), id="PNG"),
        pytest.param(png(b"caBX", is_last=True), id="PNG, behind the pixels"),
        pytest.param(webp(b"C2PA"), id="WebP"),
        pytest.param(gif(b"\xff\x0bC2PA_GIF\1\0\0"), id="GIF"),
        pytest.param(tiff(52545), id="TIFF"),
        pytest.param(tiff(52545, page=1), id="TIFF, second page"),
        pytest.param(avif(b"uuid", UUID + bytes(4) + b"manifest\0" + bytes(8) + STORE), id="AVIF"),
    ],
)
def test_content_credentials_are_named_as_lost_once(source: bytes) -> None:
    assert [loss.what for loss in inspect(source).losses] == [Lost.CONTENT_CREDENTIALS]
    assert "C2PA" in render_one(source).lost["content_credentials"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(jpeg(0xEB, APP_11 + OTHER_STORE), id="JPEG, another box"),
        pytest.param(jpeg(0xEC, APP_11 + STORE), id="JPEG, another segment"),
        pytest.param(jpeg(0xFE, segment(0xEB, APP_11 + STORE)), id="JPEG, in a comment"),
        pytest.param(encode(picture()) + segment(0xEB, APP_11 + STORE), id="JPEG, behind its end"),
        pytest.param(png(b"abBX"), id="PNG, another chunk"),
        pytest.param(png(b"abBX", chunk(b"caBX", STORE)), id="PNG, in another chunk"),
        pytest.param(webp(b"ABCD", b"C2PA" + STORE), id="WebP"),
        pytest.param(gif(b"\xfe\x0bC2PA_GIF\1\0\0"), id="GIF, in a comment"),
        pytest.param(gif(b"\xff\x0bNOT_AGIF\1\0\0"), id="GIF, another application"),
        pytest.param(tiff(52544), id="TIFF, another tag"),
        pytest.param(avif(b"uuid", UUID[::-1] + STORE), id="AVIF, another type"),
        pytest.param(avif(b"free", UUID + STORE), id="AVIF, another box"),
        pytest.param(avif(b"free", b"\0\0\0\xffuuid" + UUID + STORE), id="AVIF, in another box"),
    ],
)
def test_the_same_bytes_elsewhere_are_not_content_credentials(source: bytes) -> None:
    assert inspect(source).losses == ()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "BMP"])
def test_an_ordinary_image_has_no_content_credentials(image_format: str) -> None:
    assert inspect(encode(Image.new("RGB", (8, 8)), image_format)).losses == ()


def test_a_reference_to_a_manifest_elsewhere_is_named() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dcterms="http://purl.org/dc/terms/" '
        'dcterms:{}="https://example.com/manifest"/></rdf:RDF></x:xmpmeta>'
    )
    source = encode(picture(), xmp=packet.format("provenance").encode())
    assert render_one(source).lost.keys() == {"content_credentials"}
    assert render_one(encode(picture(), xmp=packet.format("source").encode())).lost == {}
