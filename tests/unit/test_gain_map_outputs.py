"""A JPEG's gain map is resized with it, or named as lost; it never costs its image."""

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from errors import RejectedError
from imaging import proof
from imaging.decode import Picture
from imaging.formats import ENCODERS, inspect, jpeg_gain_map, jpeg_segments
from imaging.formats.jpeg_pictures import find
from imaging.gain_map import Channel, Gains, write_iso
from imaging.limits import RUNTIME_BYTES, Limits
from imaging.losses import Lost
from imaging.predict import Demand, predict
from imaging.render import Output, render
from imaging.xmp import parse
from renditions import MetadataPolicy, Rendition
from tests import gain_maps
from tests.gain_maps import STOPS, hdr_pictures
from tests.images import STORED, UPRIGHT_CORNERS, corners, encode, load, picture, segment
from tests.unit.rendering import LIMITS, output_body, render_one

GAINS = Gains((Channel(0, STOPS, 1, 1 / 64, 1 / 64),), 0, STOPS)
BASE, MAP = hdr_pictures()

HDR = {
    "iso": gain_maps.iso_jpeg(BASE, MAP),
    "ultra-hdr": gain_maps.ultra_hdr_jpeg(BASE, MAP),
    "apple": gain_maps.apple_jpeg(BASE, MAP),
}


def split(body: bytes) -> tuple[Image.Image, Image.Image, Gains]:
    """Return the main picture, the gain map and its values."""
    main, behind = jpeg_gain_map.split(body)
    structure = jpeg_segments.read_structure(body)
    found = find(body, structure.header, b"").gain_map
    assert found is not None
    return load(main), load(behind), found.gains


def list_lost(output: Output) -> list[Lost]:
    return [loss.what for loss in output.lost]


def measure_error(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference in levels."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


@pytest.mark.parametrize("name", HDR)
def test_a_gain_map_is_resized_with_its_image(name: str) -> None:
    (output,) = render_one(HDR[name]).outputs
    main, gain_map, gains = split(output.body)
    assert (main.size, gain_map.size, output.lost) == ((160, 120), (40, 30), ())
    assert measure_error(main, load(BASE).resize((160, 120))) < 2
    if name != "apple":
        assert gains == GAINS
        assert measure_error(gain_map, load(MAP).resize((40, 30))) < 2


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("options", [{"scale": 0.5}, {"width": 120, "height": 120, "fit": "cover"}, {"scale": 1.0}])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_gain_map_is_cropped_and_turned_with_its_image(orientation: int, options: dict[str, Any], scale: int) -> None:
    stored = [picture(), picture().resize((320 // scale, 240 // scale))]
    for turn in STORED[orientation]:
        stored = [image.transpose(turn) for image in stored]
    exif = Image.Exif()
    exif[0x0112] = orientation
    base, behind = encode(stored[0], quality=90, exif=exif), encode(stored[1], quality=95, subsampling=0)
    main, gain_map, _ = split(output_body(gain_maps.iso_jpeg(base, behind), **options))
    assert gain_map.size == (main.width // scale, main.height // scale)
    if "fit" not in options:
        assert corners(gain_map) == corners(main) == UPRIGHT_CORNERS
    assert measure_error(gain_map, main.resize(gain_map.size)) < 4


@pytest.mark.parametrize(
    ("minimum", "maximum", "gamma", "level"),
    [(0, 2.5, 1, 0), (-1, 3, 1, 64), (-1, 3, 2, 16), (-2, 0, 1, 255), (0, 0, 1, 0), (1, 2, 1, None), (-2, -1, 1, None)],
)
def test_a_gain_map_is_padded_with_no_gain_or_named(
    minimum: float, maximum: float, gamma: float, level: int | None
) -> None:
    gains = Gains((Channel(minimum, maximum, gamma, 1 / 64, 1 / 64),), 0, 2.5)
    source = gain_maps.iso_jpeg(BASE, MAP, write_iso(gains))
    (output,) = render_one(source, width=100, height=100, fit="contain").outputs
    if level is None:
        assert [loss.what for loss in output.lost] == [Lost.GAIN_MAP]
        return
    assert output.lost == ()
    main, gain_map, read = split(output.body)
    assert (main.size, gain_map.size, read) == ((100, 100), (25, 25), gains)
    shown = np.asarray(gain_map, int)
    assert np.abs(np.delete(shown, np.arange(2, 23), axis=0) - level).max() < 24
    wanted = np.asarray(load(MAP).convert("L").resize((25, 19)), int)
    assert np.abs(shown[3:22] - wanted).mean() < 8


def test_three_channels_are_kept() -> None:
    channels = tuple(Channel(-stops, stops, 1 / stops, 0, 1 / 64) for stops in (1, 2, 4))
    flags = b"\x80"
    values = [0, 3, *(value for channel in channels for value in channel)]
    iso = bytes(4) + flags + b"".join(struct.pack(">iI", round(value * 64), 64) for value in values)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    base, _ = hdr_pictures()
    behind = encode(picture(80, 60), quality=95, subsampling=0, icc_profile=profile)
    main, gain_map, gains = split(output_body(gain_maps.iso_jpeg(base, behind, iso)))
    assert (gain_map.mode, gain_map.info["icc_profile"]) == ("RGB", profile)
    assert gains == Gains(channels, 0, 3, has_base_colours=False)
    assert corners(gain_map) == corners(main)


@pytest.mark.parametrize("to", ["webp", "avif", "png"])
def test_other_formats_name_the_gain_map(to: str) -> None:
    assert list_lost(render_one(HDR["iso"], to).outputs[0]) == [Lost.GAIN_MAP]


@pytest.mark.parametrize("to", ["jpeg", "webp"])
@pytest.mark.parametrize("body", [HDR["iso"], HDR["iso"][: -len(MAP) // 2]])
def test_a_dropped_gain_map_is_no_loss(to: str, body: bytes) -> None:
    (output,) = render_one(body, to, hdr="drop").outputs
    assert output.lost == ()
    assert output.body == output_body(BASE, to)


def test_each_rendition_has_its_own_gain_map() -> None:
    renditions = [
        Rendition("large", scale=0.5),
        Rendition("plain", scale=0.25, hdr="drop"),
        Rendition("web", scale=0.25, format="webp"),
        Rendition("small", width=100),
    ]
    outputs = render(HDR["iso"], renditions, limits=LIMITS).outputs
    assert [list_lost(output) for output in outputs] == [[], [], [Lost.GAIN_MAP], []]
    assert [split(outputs[index].body)[1].size for index in (0, 3)] == [(40, 30), (25, 19)]


def damage_pixels(body: bytes) -> bytes:
    """Return a JPEG whose decoder fails: its table of Huffman codes is invalid."""
    place = body.index(b"\xff\xc4") + 5
    return body[:place] + b"\xff" * 16 + body[place + 16 :]


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        (damage_pixels(MAP), "cannot be decoded"),
        (encode(picture(400, 300)), "more than its image"),
        (encode(picture(80, 60, "CMYK")), "CMYK"),
    ],
)
def test_a_gain_map_that_cannot_be_decoded_is_named(behind: bytes, why: str) -> None:
    (output,) = render_one(gain_maps.iso_jpeg(BASE, behind)).outputs
    assert list_lost(output) == [Lost.GAIN_MAP]
    assert why in output.lost[0].why
    assert output.body == output_body(BASE)


def test_a_gain_map_that_does_not_fit_is_left_out() -> None:
    """The image alone fits."""
    source = gain_maps.iso_jpeg(*hdr_pictures(2000, 1500, scale=1, mode="RGB"))
    rendition, encoders = [Rendition("r", scale=0.9)], [ENCODERS["JPEG"]]

    def demand(*, with_map: bool) -> Demand:
        opened = Picture(inspect(source))
        if with_map:
            opened.open_gain_map()
        return predict(opened, rendition, encoders)

    alone, together = demand(with_map=False), demand(with_map=True)
    assert together.nanoseconds > 1.5 * alone.nanoseconds
    # At least the decoded map, and what a filter makes between its passes: 85 MiB were measured for 12 megapixels.
    assert together.peak_bytes - alone.peak_bytes > 2 * 4 * 2000 * 1500
    between = (alone.peak_bytes + together.peak_bytes) // 2
    (output,) = render(source, rendition, limits=Limits(RUNTIME_BYTES + between)).outputs
    assert list_lost(output) == [Lost.GAIN_MAP]
    assert "raise memory_size" in output.lost[0].why


def test_a_gain_map_that_takes_too_long_is_left_out() -> None:
    """Each scan goes through all of its blocks again."""
    behind = encode(picture(80, 60), progressive=True)
    scans = segment(0xDA, b"\x01\x01\0\x01\x3f\x10") * 20_000
    source = gain_maps.iso_jpeg(BASE, behind[:-2] + scans + behind[-2:])
    rendition = Rendition("r", scale=0.5)
    (output,) = render(source, [rendition], limits=LIMITS, seconds_left=lambda: 0.05).outputs
    assert list_lost(output) == [Lost.GAIN_MAP]
    assert "raise timeout" in output.lost[0].why
    assert output.body == output_body(BASE)


@pytest.mark.parametrize("policy", MetadataPolicy)
def test_the_xmp_says_what_the_gain_map_needs(policy: MetadataPolicy) -> None:
    kept = gain_maps.xmp('GCamera:MotionPhoto="1" hdrgm:GainMapMax="1"')
    (output,) = render_one(gain_maps.iso_jpeg(gain_maps.add(BASE, kept), MAP), metadata=policy).outputs
    properties = parse(load(output.body).info["xmp"]).properties
    assert set(properties) == {
        (gain_maps.NAMESPACES["hdrgm"], "Version"),
        (gain_maps.NAMESPACES["Container"], "Directory"),
    }


def test_kept_xmp_that_leaves_no_room_is_named() -> None:
    """It would fit into the segment without the directory."""
    description = f'<rdf:Description xmlns:own="urn:own" own:long="{"a" * 65_200}"/>'
    packet = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{description}</rdf:RDF>'
    kept = segment(0xE1, gain_maps.XMP_NAME + packet.encode())
    (output,) = render_one(gain_maps.iso_jpeg(gain_maps.add(BASE, kept), MAP), metadata=MetadataPolicy.ALL).outputs
    assert list_lost(output) == [Lost.XMP]
    assert split(output.body)[2] == GAINS
    dropped = render_one(gain_maps.iso_jpeg(gain_maps.add(BASE, kept), MAP), metadata=MetadataPolicy.ALL, hdr="drop")
    assert dropped.outputs[0].lost == ()


def test_the_proof_needs_the_gain_map() -> None:
    (output,) = render_one(HDR["iso"]).outputs
    main, gain_map, _ = split(output.body)
    proof.check(output.body, "JPEG", [main], gain_map=gain_map)
    for body, shown in (
        (output.body, Image.new("L", gain_map.size)),
        (output.body, gain_map.resize((10, 10))),
        (output.body[:-1], gain_map),
        (output.body + b"\0", gain_map),
        (jpeg_gain_map.split(output.body)[0], gain_map),
    ):
        with pytest.raises(RejectedError):
            proof.check(body, "JPEG", [main], gain_map=shown)
    with pytest.raises(RejectedError):
        proof.check(output.body, "JPEG", [main])
