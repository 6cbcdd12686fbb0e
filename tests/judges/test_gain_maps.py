"""libultrahdr, Chromium and exiftool read JPEGs with a gain map as they read their sources."""

import itertools
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from imaging.content_credentials import Notary
from imaging.render import render
from renditions import MetadataPolicy, Rendition
from tests import gain_maps
from tests.certificates import Authority, make_private_key
from tests.gain_maps import STOPS
from tests.heifs import add_iso_map
from tests.images import encode, load, picture
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool
from tests.unit.rendering import LIMITS, output_body

Light = np.ndarray[Any, np.dtype[np.float64]]
"""Linear light, 1 for the white of standard range: height by width by 3."""

WIDTH, HEIGHT, SCALE = 640, 480, 4
BASE, MAP = gain_maps.hdr_pictures(WIDTH, HEIGHT, SCALE)
_, COLOURED = gain_maps.hdr_pictures(WIDTH, HEIGHT, SCALE, "RGB")

THREE_CHANNELS = (
    'hdrgm:Version="1.0" hdrgm:HDRCapacityMax="2"',
    "<hdrgm:GainMapMax><rdf:Seq><rdf:li>1</rdf:li><rdf:li>2</rdf:li><rdf:li>1.5</rdf:li></rdf:Seq></hdrgm:GainMapMax>",
)


def encode_hdr() -> bytes:
    """Return an HDR picture as libultrahdr writes it: ISO 21496-1, and a map of three channels."""
    light = np.ones((HEIGHT, WIDTH, 4), np.float16)
    light[..., :3] = 4 * (np.asarray(picture(WIDTH, HEIGHT), dtype=float) / 255) ** 2
    return bytes(imagecodecs.ultrahdr_encode(light, level=95, scale=SCALE))


SOURCES = {
    "libultrahdr": encode_hdr(),
    "iso": gain_maps.iso_jpeg(BASE, MAP),
    "ultra-hdr": gain_maps.ultra_hdr_jpeg(BASE, MAP),
    "three-channels": gain_maps.ultra_hdr_jpeg(BASE, COLOURED, *THREE_CHANNELS),
    "apple": gain_maps.apple_jpeg(BASE, MAP),
}


def read(body: bytes) -> Light:
    """Return what libultrahdr shows on a display that is bright enough."""
    light: Light = imagecodecs.ultrahdr_decode(body)[..., :3].astype(np.float64)
    return light


def expect(name: str) -> Light:
    """Return what a source shows; libultrahdr knows neither Apple's maps nor lists of values in XMP."""
    if name in {"libultrahdr", "iso", "ultra-hdr"}:
        return read(SOURCES[name])
    base = np.asarray(load(BASE), dtype=float) / 255
    base = np.where(base <= 0.04045, base / 12.92, ((base + 0.055) / 1.055) ** 2.4)
    stored = (
        load(MAP if name == "apple" else COLOURED).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    )
    pixels = np.asarray(stored, dtype=float) / 255
    if name == "apple":
        gain = np.where(pixels < 0.081, pixels / 4.5, ((pixels + 0.099) / 1.099) ** (1 / 0.45))
        return np.asarray(base * (1 + 3 * gain))
    return np.asarray((base + 1 / 64) * 2 ** (pixels * [1, 2, 1.5]) - 1 / 64)


def halve(light: Light) -> Light:
    return np.asarray(light.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).mean(axis=(1, 3)))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("metadata", MetadataPolicy)
def test_libultrahdr_shows_the_output_as_its_source(name: str, metadata: MetadataPolicy) -> None:
    wanted, shown = halve(expect(name)), read(output_body(SOURCES[name], metadata=metadata))
    assert wanted.max() > 2
    assert shown.shape == wanted.shape
    assert shown.mean() == pytest.approx(wanted.mean(), rel=0.01)
    assert np.abs(shown - wanted).mean() < 0.03 * wanted.mean()


def test_libultrahdr_shows_the_gain_map_of_an_avif() -> None:
    small = picture(WIDTH, HEIGHT).resize((WIDTH // SCALE, HEIGHT // SCALE)).convert("L")
    main, behind = (encode(one, "AVIF", quality=95) for one in (picture(WIDTH, HEIGHT), small))
    source = add_iso_map(main, behind, b"\0" + gain_maps.ISO).encode()
    whole = [load(part).convert("RGB").resize((WIDTH, HEIGHT)) for part in (main, behind)]
    base, stored = (np.asarray(image, dtype=float) / 255 for image in whole)
    light = np.where(base <= 0.04045, base / 12.92, ((base + 0.055) / 1.055) ** 2.4)
    wanted, shown = halve((light + 1 / 64) * 2 ** (STOPS * stored) - 1 / 64), read(output_body(source, "jpeg"))
    assert shown.mean() == pytest.approx(wanted.mean(), rel=0.02)
    assert np.abs(shown - wanted).mean() < 0.05 * wanted.mean()


def test_libultrahdr_shows_a_crop() -> None:
    wanted = read(SOURCES["iso"])[:, (WIDTH - HEIGHT) // 2 : -(WIDTH - HEIGHT) // 2]
    shown = read(output_body(SOURCES["iso"], width=HEIGHT, height=HEIGHT, fit="cover"))
    assert shown.shape == wanted.shape
    assert np.abs(shown - wanted).mean() < 0.03 * wanted.mean()


@pytest.mark.parametrize("name", SOURCES)
def test_chromium_shows_the_base(name: str, chromium: Chromium) -> None:
    shown = [chromium.still(output_body(SOURCES[name], hdr=hdr)).pixels.astype(float) for hdr in ("keep", "drop")]
    assert np.abs(shown[0] - shown[1]).max() <= 1


def test_exiftool_lists_both_pictures(exiftool: Exiftool) -> None:
    bodies = {
        f"{name} {policy}": output_body(SOURCES[name], metadata=policy)
        for name, policy in itertools.product(SOURCES, MetadataPolicy)
    }
    for name, tags in exiftool.read(bodies).items():
        body = bodies[name]
        start, length = tags["MPImage2:MPImageStart"], tags["MPImage2:MPImageLength"]
        assert (tags["MPF0:NumberOfImages"], start + length) == (2, len(body))
        assert tags["MPImage1:MPImageLength"] == start
        assert load(body[start:]).size == (WIDTH // SCALE // 2, HEIGHT // SCALE // 2)
        items = tags["XMP-Container:Directory"]
        assert [item["Item"].get("Length") for item in items] == [None, length]
        assert float(tags["XMP-hdrgm:Version"]) == 1
        # Older versions of exiftool don't know ISO 21496-1.
        assert tags.get("ExifTool:Warning") in {None, "[minor] Unknown APP2 segment"}


def test_exiftool_reads_the_values(exiftool: Exiftool) -> None:
    body = output_body(SOURCES["ultra-hdr"])
    tags = exiftool.read({"output": body})["output"]
    behind = exiftool.read({"map": body[tags["MPImage2:MPImageStart"] :]})["map"]
    values = {name: float(behind[f"XMP-hdrgm:{name}"]) for name in ("GainMapMax", "HDRCapacityMax", "OffsetSDR")}
    assert values == {"GainMapMax": STOPS, "HDRCapacityMax": STOPS, "OffsetSDR": 1 / 64}


def test_a_signed_output_keeps_its_gain_map() -> None:
    """The manifest moves both pictures alike."""
    key, pem = make_private_key()
    notary = Notary.with_key(pem, Authority().chain(key.public_key()))
    (output,) = render(SOURCES["iso"], [Rendition("r", scale=0.5)], limits=LIMITS, notary=notary).outputs
    assert b"jumdc2pa" in output.body
    assert np.array_equal(read(output.body), read(output_body(SOURCES["iso"])))
