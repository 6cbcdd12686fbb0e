"""The gain map of an AVIF is kept in a JPEG, or named as lost; tests of HEIC need its decoder."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import RejectedError
from imaging.formats import inspect, jpeg_gain_map, jpeg_segments
from imaging.formats.jpeg_pictures import find
from imaging.gain_map import Channel, Gains, make_apple_gains, make_apple_table
from imaging.losses import Lost
from tests import gain_maps
from tests.gain_maps import STOPS
from tests.heifs import ESSENTIAL, MAP_ITEM, Heif, add_apple_map, add_iso_map, box, nclx
from tests.images import HEIC_PICTURE, apple_exif, encode, encode_oriented, load, picture
from tests.unit.rendering import render_one
from tools.build import Target, build
from tools.build.archive import unpack
from tools.common.paths import ROOT

SHOWN = picture(320, 240)
STORED_MAP = SHOWN.resize((80, 60)).convert("L")
BASE = encode(SHOWN, "AVIF", quality=95)
MAP = encode(STORED_MAP, "AVIF", quality=95)
GAINS = Gains((Channel(0, STOPS, 1, 1 / 64, 1 / 64),), 0, STOPS)


def iso(base: bytes = BASE, gain_map: bytes = MAP, values: bytes = b"\0" + gain_maps.ISO) -> Heif:
    return add_iso_map(base, gain_map, values)


def apple(base: bytes = BASE, gain_map: bytes = MAP, headroom: str = "") -> Heif:
    return add_apple_map(base, gain_map, headroom)


def split(body: bytes) -> tuple[Image.Image, Image.Image, Gains]:
    """Return the main picture, the gain map and its values."""
    main, behind = jpeg_gain_map.split(body)
    found = find(body, jpeg_segments.read_structure(body).header, b"").gain_map
    assert found is not None
    return load(main), load(behind), found.gains


def measure_error(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference in levels."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_a_gain_map_of_iso_21496_1_is_resized_with_its_image() -> None:
    (output,) = render_one(iso().encode(), "jpeg").outputs
    main, gain_map, gains = split(output.body)
    assert (main.size, gain_map.size, gain_map.mode, output.lost) == ((160, 120), (40, 30), "L", ())
    assert measure_error(main, SHOWN.resize((160, 120))) < 3
    assert measure_error(gain_map, STORED_MAP.resize((40, 30))) < 3
    assert gains == GAINS


@pytest.mark.parametrize(("headroom", "stated"), [(4.0, "xmp"), (2**1.8, "exif")])
def test_apple_s_gain_map_is_converted(headroom: float, stated: str) -> None:
    base = encode(SHOWN, "AVIF", quality=95, exif=apple_exif(0.5, 0)) if stated == "exif" else BASE
    (output,) = render_one(apple(base, headroom="4.0" if stated == "xmp" else "").encode(), "jpeg").outputs
    _, gain_map, gains = split(output.body)
    assert output.lost == ()
    assert gains.alternate_headroom == pytest.approx(make_apple_gains(headroom).alternate_headroom, abs=1e-5)
    assert measure_error(gain_map, STORED_MAP.point(make_apple_table(headroom)).resize((40, 30))) < 4


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_gain_map_is_turned_with_its_image(orientation: int) -> None:
    # Pillow stores the orientation as properties of the item, which both pictures have.
    base, gain_map = (encode_oriented(one, orientation, "AVIF", quality=95) for one in (SHOWN, STORED_MAP))
    main, shown_map, _ = split(render_one(iso(base, gain_map).encode(), "jpeg").outputs[0].body)
    assert (main.size, shown_map.size) == ((160, 120), (40, 30))
    assert measure_error(shown_map, STORED_MAP.resize((40, 30))) < 4


@pytest.mark.parametrize("to", ["avif", "webp", "png"])
def test_other_formats_name_it(to: str) -> None:
    for source in (iso().encode(), apple(headroom="4").encode()):
        assert list(render_one(source, to).lost) == ["gain_map"]
        assert render_one(source, to, hdr="drop").lost == {}


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (apple(), "its headroom is unknown"),
        (apple(headroom="much"), "its headroom is unknown"),
        (apple(headroom="0.5"), "its headroom of 0.5 is not above 1"),
        (iso(values=b""), "its values are missing, or of a later version"),
        (iso(values=b"\1" + gain_maps.ISO), "its values are missing, or of a later version"),
        (iso(values=b"\0" + gain_maps.ISO[:20]), "its ISO 21496-1 values are cut off, or a denominator is 0"),
        (iso(values=b"\0" + bytes(5) + gain_maps.ISO[5:]), "it applies in another colour space than its image's"),
        (iso(gain_map=encode(picture(640, 480), "AVIF")), "it has 640 x 480 pixels, more than its image"),
    ],
)
def test_a_gain_map_that_cannot_be_kept_costs_nothing_else(made: Heif, why: str) -> None:
    (output,) = render_one(made.encode(), "jpeg").outputs
    assert [(loss.what, loss.why) for loss in output.lost] == [(Lost.GAIN_MAP, f"the gain map was left out: {why}")]


def test_hdr_that_is_tone_mapped_loses_its_gain_map() -> None:
    made = iso()
    made.remove(b"colr")
    made.describe(made.main, nclx(9, 16))
    assert list(render_one(made.encode(), "jpeg").lost) == ["hdr", "gain_map"]


def test_a_gain_map_beside_an_animation_is_left_out() -> None:
    source = encode(SHOWN, "AVIF", save_all=True, append_images=[SHOWN.rotate(180)], duration=100)
    made = iso()
    header = inspect(made.encode().replace(b"ftypavif", b"ftypavis"))
    assert "beside the animation" in header.gain_map_problem
    assert inspect(source).gain_map is None


def test_a_damaged_file_loses_at_most_its_gain_map() -> None:
    for whole in (iso().encode(), apple(headroom="4").encode()):
        start = len(whole) - 400
        for place in (*range(900), *range(start, len(whole))):
            for mask in (1, 255):
                damaged = bytearray(whole)
                damaged[place] ^= mask
                try_inspect(bytes(damaged))
            try_inspect(whole[:place])


def try_inspect(source: bytes) -> None:
    with contextlib.suppress(RejectedError):
        inspect(source)


def test_many_packets_of_xmp_take_linear_time() -> None:
    made = apple(headroom="4")
    content = b"x" * 100
    for item in range(200, 1200):
        made.add_item(item, b"mime")
        made.add_data(item, content)
    assert inspect(made.encode()).gain_map is not None


CHECK = """
import sys
sys.path[:0] = sys.argv[1:]
from tests.unit.test_heif_gain_maps import check_heic
check_heic()
"""


@pytest.mark.network
def test_with_the_decoder_the_gain_map_of_a_heic_is_kept(tmp_path: Path) -> None:
    package = build(Target.of_this_machine(), tmp_path / "dist", for_aws=False, extras=["heic"])
    unpack(package.path, tmp_path / "unpacked")
    subprocess.run([sys.executable, "-c", CHECK, str(tmp_path / "unpacked"), str(ROOT)], check=True)


def check_heic() -> None:
    """Check in a process that has the decoder of HEIC."""
    body = HEIC_PICTURE.read_bytes()
    shown = load(encode(picture(64, 48)))
    for made in (iso(body, body), apple(body, body, "4.0")):
        # The map is turned by 180 degrees, to be told from its image.
        made.describe(MAP_ITEM, box(b"irot", b"\2"), mark=ESSENTIAL)
        (output,) = render_one(made.encode()).outputs
        main, gain_map, _ = split(output.body)
        assert (main.size, gain_map.size, output.lost) == ((32, 24), (32, 24), ())
        assert measure_error(main, shown.resize((32, 24))) < 8
        assert gain_map.convert("L").getpixel((30, 22)) < gain_map.convert("L").getpixel((2, 2))  # type: ignore[operator]
    (output,) = render_one(apple(body, body).encode()).outputs
    assert [loss.what for loss in output.lost] == [Lost.GAIN_MAP]
