"""EXIF is corrected for an output: sizes, resolutions, and the place of a GeoTIFF's pixels on the map."""

import io
from typing import Any

import pytest
from PIL import ExifTags, Image, TiffImagePlugin, TiffTags

from imaging import exif
from imaging.change import Change

HALVED = Change((160, 60), (0.5, 0.25), is_moved=False, swaps_sides=False, media_type="image/tiff")
KEYS = (1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1)
AREA, POINT = (*KEYS, 1), (*KEYS, 2)
MATRIX = (2.0, 0.5, 0.0, 1000.0, 0.25, -3.0, 0.0, 2000.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def make(tags: dict[int, Any]) -> Image.Exif:
    made = Image.Exif()
    for tag, value in tags.items():
        made[tag] = value
    read = Image.Exif()
    read.load(made.tobytes())
    return read


def correct(tags: dict[int, Any], change: Change = HALVED) -> tuple[dict[int, Any], list[str]]:
    corrected, problems = exif.correct(make(tags), change)
    return dict(corrected), problems


def locate(matrix: tuple[float, ...], across: float, down: float) -> list[float]:
    """Return where on the map a GeoTIFF's transformation takes a pixel (OGC GeoTIFF 1.1, 7.4)."""
    return [sum(a * b for a, b in zip(matrix[row : row + 4], (across, down, 0, 1), strict=True)) for row in (0, 4)]


def test_no_more_tags_are_copied_than_cameras_write() -> None:
    """An IFD can have 65,535 tags, and Pillow would copy all of them for each output."""
    tags: dict[int, Any] = {60_000 + tag: 1 for tag in range(3000)}
    corrected, problems = correct(tags | {ExifTags.IFD.Exif: {40_000 + tag: 1 for tag in range(3000)}})
    details = corrected.pop(ExifTags.IFD.Exif)
    assert len(corrected) == exif.MOST_TAGS - 1
    assert len(details) == exif.MOST_TAGS
    assert problems == ["tags of the EXIF, damaged or beyond the first 1000, were left out"]


def test_sizes_and_resolutions_are_the_outputs() -> None:
    stored: dict[int, Any] = {
        ExifTags.Base.XResolution: TiffImagePlugin.IFDRational(300),
        ExifTags.Base.YResolution: TiffImagePlugin.IFDRational(200),
        ExifTags.IFD.Exif: {
            ExifTags.Base.ExifImageWidth: 320,
            ExifTags.Base.ExifImageHeight: 240,
            ExifTags.Base.FocalPlaneXResolution: TiffImagePlugin.IFDRational(4000),
            ExifTags.Base.FocalPlaneYResolution: TiffImagePlugin.IFDRational(4000),
            ExifTags.Base.CompressedBitsPerPixel: TiffImagePlugin.IFDRational(4),
            ExifTags.Base.SubjectLocation: (1, 2),
            ExifTags.Base.FNumber: TiffImagePlugin.IFDRational(4),
            ExifTags.IFD.Interop: {ExifTags.Interop.RelatedImageWidth: 320, ExifTags.Interop.RelatedImageHeight: 240},
        },
    }
    corrected, problems = correct(stored)
    details = corrected.pop(ExifTags.IFD.Exif)
    assert corrected == {ExifTags.Base.XResolution: 150, ExifTags.Base.YResolution: 50}
    assert details == {
        ExifTags.Base.ExifImageWidth: 160,
        ExifTags.Base.ExifImageHeight: 60,
        ExifTags.Base.FocalPlaneXResolution: 2000,
        ExifTags.Base.FocalPlaneYResolution: 1000,
        ExifTags.Base.FNumber: 4,
        ExifTags.IFD.Interop: {ExifTags.Interop.RelatedImageWidth: 160, ExifTags.Interop.RelatedImageHeight: 60},
    }
    assert not problems


def test_a_turn_swaps_resolutions() -> None:
    turned = HALVED._replace(is_moved=True, swaps_sides=True)
    corrected, _ = correct({ExifTags.Base.XResolution: 300.0, ExifTags.Base.YResolution: 200.0}, turned)
    assert corrected == {ExifTags.Base.XResolution: 100, ExifTags.Base.YResolution: 75}


@pytest.mark.parametrize("across", [0.0, TiffImagePlugin.IFDRational(1, 0)])
def test_a_resolution_that_is_no_number_is_left_out(across: object) -> None:
    assert correct({ExifTags.Base.XResolution: across, ExifTags.Base.YResolution: 300.0})[0] == {}


@pytest.mark.parametrize("tag", [256, 273, 330, 700, 33723, 34377, 37724])
def test_tags_of_the_pixel_layout_and_layers_are_left_out(tag: int) -> None:
    assert correct({tag: 1}) == ({}, [])


@pytest.mark.parametrize(("keys", "shift"), [(AREA, 0.0), (POINT, 0.5)])
def test_pixels_of_a_geotiff_stay_on_their_place(keys: tuple[int, ...], shift: float) -> None:
    stored = {
        exif.GEO_KEYS: keys,
        exif.PIXEL_SCALE: (10.0, 10.0, 1.0),
        exif.TIE_POINTS: (100.0, 40.0, 0.0, 500.0, 600.0, 7.0),
        exif.TRANSFORMATION: MATRIX,
    }
    corrected, problems = correct(stored)
    assert not problems
    assert corrected[exif.PIXEL_SCALE] == (20.0, 40.0, 1.0)
    # The same point of the image, counted from the corners of pixels or from their centres.
    moved = (100 + shift) * 0.5 - shift, (40 + shift) * 0.25 - shift
    assert corrected[exif.TIE_POINTS] == (*moved, 0.0, 500.0, 600.0, 7.0)
    assert locate(corrected[exif.TRANSFORMATION], *moved) == pytest.approx(locate(MATRIX, 100, 40))


@pytest.mark.parametrize(
    ("tags", "change"),
    [
        ({exif.PIXEL_SCALE: (10.0, 10.0, 1.0)}, HALVED._replace(is_moved=True)),
        ({exif.PIXEL_SCALE: (10.0, 10.0)}, HALVED),
        ({exif.TIE_POINTS: (1.0,)}, HALVED),
        ({exif.TRANSFORMATION: (1.0,) * 15}, HALVED),
    ],
)
def test_a_georeference_that_would_be_false_is_left_out(tags: dict[int, Any], change: Change) -> None:
    corrected, problems = correct({exif.GEO_KEYS: AREA, ExifTags.Base.Make: "M", **tags}, change)
    assert corrected == {ExifTags.Base.Make: "M"}
    assert "georeference" in problems[0]


NOTE = b"Maker\0 with offsets from the beginning of the EXIF"


def load_details(block: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return the Exif IFD, with the types of its tags."""
    file = io.BytesIO(block)
    first = TiffImagePlugin.ImageFileDirectory_v2(block[:8])
    details = TiffImagePlugin.ImageFileDirectory_v2(block[:8], group=ExifTags.IFD.Exif)
    file.seek(first.next)
    first.load(file)
    file.seek(first[ExifTags.IFD.Exif])
    details.load(file)
    return details


def store(details: dict[int, Any]) -> bytes:
    """Return EXIF, without its header, with these tags in the Exif IFD."""
    made = Image.Exif()
    made[ExifTags.IFD.Exif] = details
    return made.tobytes().removeprefix(exif.HEADER)


def read(block: bytes) -> Image.Exif:
    made = Image.Exif()
    made.load(block)
    return made


@pytest.mark.parametrize(
    ("tag", "value", "kind"),
    [
        (ExifTags.Base.UserComment, b"ASCII\0\0\0Hello", TiffTags.UNDEFINED),
        (ExifTags.Base.ComponentsConfiguration, b"\1\2\3\0", TiffTags.UNDEFINED),
        (ExifTags.Base.ExposureBiasValue, TiffImagePlugin.IFDRational(1, 3), TiffTags.SIGNED_RATIONAL),
        (ExifTags.Base.ISOSpeed, 100, TiffTags.LONG),
        (ExifTags.Base.LensModel, "José", TiffTags.ASCII),
    ],
)
def test_tags_have_the_types_that_readers_expect(tag: int, value: Any, kind: int) -> None:
    # Pillow writes ASCII only.
    source = store({tag: "Jos!" if value == "José" else value}).replace(b"Jos!", b"Jos\xe9")
    corrected, problems = exif.correct(read(source), HALVED)
    details = load_details(exif.write(corrected, source, 1 << 16).removeprefix(exif.HEADER))
    assert (details[tag], details.tagtype[tag], problems) == (value, kind, [])


@pytest.mark.parametrize("length", [len(NOTE), len(NOTE) - 1])
def test_a_maker_note_stays_at_its_offset(length: int) -> None:
    note = NOTE[:length]
    source = store({ExifTags.Base.FNumber: 2.0, ExifTags.Base.MakerNote: note, ExifTags.Base.UserComment: b"x" * 99})
    corrected, _ = exif.correct(read(source), HALVED)
    del corrected[ExifTags.IFD.Exif][ExifTags.Base.FNumber]
    written = exif.write(corrected, source, 1 << 16).removeprefix(exif.HEADER)
    assert written.index(note) == source.index(note)
    details = load_details(written)
    assert details[ExifTags.Base.MakerNote] == note
    assert details[ExifTags.Base.UserComment] == b"x" * 99


def test_a_maker_note_that_does_not_fit_at_its_offset_is_kept_elsewhere() -> None:
    source = store({ExifTags.Base.FNumber: 2.0, ExifTags.Base.MakerNote: NOTE})
    corrected, _ = exif.correct(read(source), HALVED)
    written = exif.write(corrected, source, len(source)).removeprefix(exif.HEADER)
    assert load_details(written)[ExifTags.Base.MakerNote] == NOTE


def test_entries_that_pillow_skips_are_noticed_in_every_directory() -> None:
    source = store({ExifTags.Base.UserComment: b"x" * 99})
    cut = source[:-50]
    assert exif.has_read_all(read(source), source)
    assert not exif.has_read_all(read(cut), cut)
    assert exif.has_read(read(cut), cut, exif.CREDITS)
