"""Sources with one property each that an output can lose, and how to see that property in an output."""

import functools
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import pyvips
import tifffile
from PIL import Image

from imaging.losses import Lost
from renditions import MetadataPolicy
from tests import gain_maps, heifs, pngs
from tests.images import encode, picture
from tests.judges.chromium import Chromium
from tests.judges.exiftool import Exiftool, Tags
from tests.judges.test_signing import MEDIA_TYPES, sign_source
from tests.pngs import chunk

ALWAYS = tuple(MetadataPolicy)
CREDITS = (MetadataPolicy.COPYRIGHT, MetadataPolicy.ALL)


@dataclass(frozen=True)
class Seen:
    """An output, as independent readers see it."""

    body: bytes
    media_type: str
    read_tags: Callable[[], Tags]
    chromium: Chromium

    @functools.cached_property
    def tags(self) -> Tags:
        return self.read_tags()

    @functools.cached_property
    def vips(self) -> pyvips.Image:
        return pyvips.Image.new_from_buffer(self.body, "")

    def has(self, *values: str) -> bool:
        """Tell whether some tags have these values, whatever their names."""
        text = repr(self.tags)
        return all(value in text for value in values)


@dataclass(frozen=True)
class Source:
    """A file with one property that an output can lack.

    Attributes:
        what: The property's name.
        make: Makes the file.
        is_kept: Tells whether an output at half the size has the property; :func:`never` if no output can.
        policies: The policies that keep it.
        also: What else every output of the file may lack.

    """

    what: Lost
    make: Callable[[Exiftool], bytes]
    is_kept: Callable[[Seen], bool]
    policies: tuple[MetadataPolicy, ...] = ALWAYS
    also: frozenset[Lost] = frozenset()


def fixed(body: bytes) -> Callable[[Exiftool], bytes]:
    return lambda _: body


def tagged(image_format: str, *assignments: str) -> Callable[[Exiftool], bytes]:
    return lambda exiftool: exiftool.write(encode(picture(64, 48), image_format), assignments)


def never(_: Seen) -> bool:
    return False


def contains(*values: bytes) -> Callable[[Seen], bool]:
    """Tell whether a file has some bytes, which none of the formats compresses."""
    return lambda seen: any(value in seen.body for value in values)


# Pixels

DEEP = np.full((48, 64, 4), (0x1234, 0x5678, 0x9ABC, 0xFFFF), np.uint16)
"""No channel can be told from its upper byte alone."""


def keeps_bits(count: int) -> Callable[[Seen], bool]:
    def is_kept(seen: Seen) -> bool:
        mean = np.array([band.avg() for band in seen.vips.bandsplit()])[:count]
        return bool(seen.vips.format == "ushort" and np.abs(mean - DEEP[0, 0, :count]).max() < 16)

    return is_kept


def is_deep(seen: Seen) -> bool:
    return bool(seen.vips.format == "ushort")


def is_17000_wide(seen: Seen) -> bool:
    return bool(seen.vips.width == 17_000)


def is_transparent(seen: Seen) -> bool:
    return bool(seen.vips.hasalpha() and seen.vips[seen.vips.bands - 1].min() < 9)


def has_frames(seen: Seen) -> bool:
    if seen.media_type == "image/tiff":
        return bool(seen.vips.get("n-pages") == 3)
    return len(seen.chromium.animation(seen.body, seen.media_type).frames) == 3


def make_frames(image_format: str) -> bytes:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "green", "blue")]
    options = {} if image_format == "TIFF" else {"duration": 100}
    return encode(frames[0], image_format, save_all=True, append_images=frames[1:], **options)


def has_inks(seen: Seen) -> bool:
    return bool(seen.vips.interpretation == "cmyk")


def has_lab(seen: Seen) -> bool:
    return bool(seen.tags.get("IFD0:PhotometricInterpretation") == "CIELab")


def has_ratio(seen: Seen) -> bool:
    return bool(abs(seen.vips.yres / seen.vips.xres - 2) < 0.02)


def has_extra_channel(seen: Seen) -> bool:
    return bool(seen.tags.get("IFD0:ExtraSamples") == "Unspecified")


def make_extra_channel() -> bytes:
    target = io.BytesIO()
    tifffile.imwrite(target, np.full((48, 64, 4), 90, np.uint8), photometric="rgb", extrasamples=[0])
    return target.getvalue()


HOLED = Image.new("RGBA", (64, 48), "red")
HOLED.paste((0, 0, 0, 0), (0, 0, 32, 48))

# Colours

RED = np.array([230, 40, 30])
"""A red that sRGB lacks, in Display P3."""

P3 = bytes(pyvips.Image.profile_load("p3"))


def shows_red(seen: Seen) -> bool:
    if seen.media_type == "image/tiff":
        shown = np.array(seen.vips.icc_transform("p3").numpy())
    else:
        shown = seen.chromium.still(seen.body, "display-p3").pixels
    return bool(np.abs(shown[10, 20, :3].astype(int) - RED).max() <= 9)


def flat(mode: str = "RGB") -> Image.Image:
    return Image.new("RGB", (64, 48), tuple(RED)).convert(mode)


def flat_png(*chunks: bytes) -> bytes:
    return pngs.png(np.full((48, 64, 3), RED), 2, 8, before=b"".join(chunks))


def flat_avif(bits: int = 8, **colour: Any) -> bytes:
    top = (1 << bits) - 1
    samples = np.full((48, 64, 3), np.round(RED / 255 * top)).astype(np.uint8 if bits == 8 else np.uint16)
    return bytes(imagecodecs.avif_encode(samples, level=95, bitspersample=bits, **colour))


PRIMARIES_P3 = np.array([0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060])


def flat_png16(transfer: int) -> bytes:
    return pngs.png(DEEP[..., :3], 2, 16, before=chunk(b"cICP", bytes([9, transfer, 0, 1])))


def is_hdr_png(seen: Seen) -> bool:
    return keeps_bits(3)(seen) and any("TransferCharacteristics" in name for name in seen.tags)


def is_hdr_avif(seen: Seen) -> bool:
    return is_deep(seen) and seen.has("BT.2100")


# High dynamic range


MAPPED = gain_maps.hdr_pictures(128, 96)
"""A picture and its gain map: the right is several times as bright as white."""


def is_bright(seen: Seen) -> bool:
    try:
        light = imagecodecs.ultrahdr_decode(seen.body)
    except imagecodecs.UltrahdrError:
        return False
    return bool(light[-8:, -8:, :3].mean() > 2.5 and light[:8, :8, :3].mean() < 0.6)


def make_avif(*properties: bytes, reference: bytes = b"auxl") -> bytes:
    """Return an AVIF with one more picture that belongs to the main one."""
    made = heifs.Heif(encode(picture(64, 48), "AVIF"))
    made.add_picture(90, encode(picture(32, 24), "AVIF"))
    made.refer(reference, 90, made.main)
    made.describe(90, *properties)
    return made.encode()


APPLE_MAP, DEPTH = b"urn:com:apple:photo:2020:aux:hdrgainmap", b"urn:mpeg:hevc:2015:auxid:2"


def has_depth(seen: Seen) -> bool:
    return any(name.startswith("XMP-GDepth:") for name in seen.tags)


def has_two_pictures(seen: Seen) -> bool:
    return bool(seen.tags.get("MPF0:NumberOfImages") == 2)


def has_two_items(seen: Seen) -> bool:
    return seen.body.count(b"av01") > 1


def has_credentials(seen: Seen) -> bool:
    return any(name.startswith(("JUMBF", "CBOR", "C2PA")) for name in seen.tags)


VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(64)


# Metadata

EXIF = ("-IFD0:Artist=Ada Lovelace", "-IFD0:Copyright=(c) Babbage")
XMP = (
    "-XMP-dc:Creator=Ada Lovelace",
    "-XMP-dc:Rights=(c) Babbage",
    "-XMP-photoshop:Credit=Analytical Press",
    "-XMP-xmpRights:WebStatement=https://example.org/licence",
    "-XMP-plus:LicensorURL=https://example.org/buy",
    "-XMP-iptcExt:DigitalSourceType=http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
)
IPTC = (
    "-IPTC:By-line=Ada Lovelace",
    "-IPTC:CopyrightNotice=(c) Babbage",
    "-IPTC:Credit=Analytical Press",
    "-IPTC:Source=Engine Archive",
)


def has_exif_credits(seen: Seen) -> bool:
    return {"IFD0:Artist", "IFD0:Copyright"} <= seen.tags.keys()


def has_xmp_credits(seen: Seen) -> bool:
    names = [assignment[1:].partition("=")[0] for assignment in XMP]
    return all(name in seen.tags or name.endswith("LicensorURL") for name in names) and seen.has("example.org/buy")


def has_iptc_credits(seen: Seen) -> bool:
    return seen.has("Ada Lovelace", "(c) Babbage", "Analytical Press", "Engine Archive")


SOURCES: Mapping[str, Source] = {
    **{
        f"16 bits, {name}": Source(Lost.BITS, fixed(body), keeps_bits(count))
        for name, count, body in (
            ("grey PNG", 1, pngs.png(DEEP[..., :1], 0, 16)),
            ("PNG", 3, pngs.png(DEEP[..., :3], 2, 16)),
            ("PNG with alpha", 4, pngs.png(DEEP, 6, 16)),
        )
    },
    "10 bits, AVIF": Source(Lost.BITS, fixed(flat_avif(10)), is_deep),
    "12 bits, AVIF": Source(Lost.BITS, fixed(flat_avif(12)), is_deep),
    **{
        f"transparency, {image_format}": Source(Lost.TRANSPARENCY, fixed(encode(HOLED, image_format)), is_transparent)
        for image_format in ("PNG", "WEBP", "AVIF", "TIFF")
    },
    **{
        f"frames, {image_format}": Source(Lost.FRAMES, fixed(make_frames(image_format)), has_frames)
        for image_format in ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
    },
    "inks, JPEG": Source(Lost.COLOUR_SPACE, fixed(encode(picture(64, 48, "CMYK"))), has_inks),
    "inks, TIFF": Source(Lost.COLOUR_SPACE, fixed(encode(picture(64, 48, "CMYK"), "TIFF")), has_inks),
    "Lab, TIFF": Source(Lost.COLOUR_SPACE, fixed(encode(picture(64, 48, "LAB"), "TIFF")), has_lab),
    "extra channel, TIFF": Source(Lost.CHANNEL, fixed(make_extra_channel()), has_extra_channel),
    **{
        f"resolution, {image_format}": Source(
            Lost.RESOLUTION, fixed(encode(picture(64, 48), image_format, dpi=(100, 200))), has_ratio
        )
        for image_format in ("JPEG", "PNG", "TIFF")
    },
    **{
        f"P3 profile, {image_format}": Source(
            Lost.PROFILE, fixed(encode(flat(), image_format, icc_profile=P3, quality=95)), shows_red
        )
        for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
    },
    "PQ, PNG": Source(Lost.HDR, fixed(flat_png16(16)), is_hdr_png, also=frozenset({Lost.BITS})),
    "HLG, PNG": Source(Lost.HDR, fixed(flat_png16(18)), is_hdr_png, also=frozenset({Lost.BITS})),
    "PQ, AVIF": Source(
        Lost.HDR, fixed(flat_avif(10, primaries=9, transfer=16, matrix=9)), is_hdr_avif, also=frozenset({Lost.BITS})
    ),
    "HLG, AVIF": Source(
        Lost.HDR, fixed(flat_avif(10, primaries=9, transfer=18, matrix=9)), is_hdr_avif, also=frozenset({Lost.BITS})
    ),
    **{
        f"gain map, JPEG of {maker}": Source(Lost.GAIN_MAP, fixed(body), is_bright)
        for maker, body in (
            ("ISO 21496-1", gain_maps.iso_jpeg(*MAPPED)),
            ("Ultra HDR", gain_maps.ultra_hdr_jpeg(*MAPPED)),
            ("Apple", gain_maps.apple_jpeg(*MAPPED)),
        )
    },
    "gain map, AVIF": Source(Lost.GAIN_MAP, fixed(make_avif(heifs.auxiliary(APPLE_MAP))), contains(APPLE_MAP, b"tmap")),
    "depth map, JPEG": Source(
        Lost.DEPTH_MAP, fixed(gain_maps.add(encode(picture(64, 48)), gain_maps.xmp('GDepth:Near="1"'))), has_depth
    ),
    "depth map, AVIF": Source(Lost.DEPTH_MAP, fixed(make_avif(heifs.auxiliary(DEPTH))), contains(DEPTH)),
    "other view, JPEG": Source(
        Lost.AUXILIARY_IMAGES,
        fixed(gain_maps.combine(encode(picture(64, 48)), [gain_maps.Other(encode(picture(64, 48)), 0x020002)])),
        has_two_pictures,
    ),
    "another picture, AVIF": Source(Lost.AUXILIARY_IMAGES, fixed(make_avif(reference=b"cdsc")), has_two_items),
    "motion photo, JPEG": Source(
        Lost.MOTION_VIDEO,
        fixed(gain_maps.add(encode(picture(64, 48)), gain_maps.xmp('GCamera:MotionPhoto="1"')) + VIDEO),
        contains(VIDEO[4:12]),
    ),
    **{
        f"Content Credentials, {name}": Source(
            Lost.CONTENT_CREDENTIALS, fixed(sign_source(encode(picture(64, 48), name), media_type)), has_credentials
        )
        for name, media_type in MEDIA_TYPES.items()
    },
    "sides of 17,000 pixels": Source(Lost.SIZE, fixed(encode(picture(34_000, 2), "PNG")), is_17000_wide),
    "damaged profile": Source(Lost.PROFILE, fixed(encode(flat(), icc_profile=b"none")), never),
    "P3 by nclx, AVIF": Source(Lost.PROFILE, fixed(flat_avif(primaries=12, transfer=13, matrix=6)), shows_red),
    "P3 by cICP, PNG": Source(Lost.PROFILE, fixed(flat_png(chunk(b"cICP", bytes([12, 13, 0, 1])))), shows_red),
    "P3 by cHRM, PNG": Source(
        Lost.PROFILE,
        fixed(
            flat_png(
                chunk(b"gAMA", (45455).to_bytes(4, "big")),
                chunk(b"cHRM", np.round(1e5 * PRIMARIES_P3).astype(">u4").tobytes()),
            )
        ),
        shows_red,
    ),
    **{
        f"Exif credits, {image_format}": Source(Lost.EXIF, tagged(image_format, *EXIF), has_exif_credits, CREDITS)
        for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
    },
    **{
        f"XMP credits, {image_format}": Source(Lost.XMP, tagged(image_format, *XMP), has_xmp_credits, CREDITS)
        for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF")
    },
    **{
        f"IPTC credits, {image_format}": Source(Lost.IPTC, tagged(image_format, *IPTC), has_iptc_credits, CREDITS)
        for image_format in ("JPEG", "TIFF")
    },
    "no end marker": Source(Lost.DAMAGE, fixed(encode(picture(64, 48)).removesuffix(b"\xff\xd9")), never),
}
