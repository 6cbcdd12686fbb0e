"""HEIC: its record. It is read only if pillow-heif was built in, and is written as JPEG."""

from errors import Reason, RejectedError
from imaging.formats import avif_boxes, tiff_directories
from imaging.losses import NO_CREDENTIALS
from imaging.records import DecodingCost, Format, Header

try:
    import pillow_heif
except ImportError:
    IS_BUILT_IN = False
else:
    pillow_heif.register_heif_opener()
    IS_BUILT_IN = True


BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
"""One of these is in the ``ftyp`` box of a HEIC file (ISO/IEC 23008-12, annex B.4)."""

MOST_BRANDS_BYTES = 1024
"""How much of the ``ftyp`` box is read: files have a few brands of four bytes."""


def _is_heic(source: bytes) -> bool:
    """Tell whether the major brand or a compatible one is HEIC's (ISO/IEC 14496-12, 4.3)."""
    if source[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(source[:4], "big"), len(source), MOST_BRANDS_BYTES)
    return not BRANDS.isdisjoint({source[8:12], *(source[offset : offset + 4] for offset in range(16, end, 4))})


def inspect(source: bytes) -> Header:
    """Read the boxes.

    Raises:
        RejectedError: HEIC_NOT_BUILT_IN, or TOO_LARGE: there are more than ``part_limit.MAX_PARTS``.

    """
    if not IS_BUILT_IN:
        raise RejectedError(
            Reason.HEIC_NOT_BUILT_IN, "HEIC needs a decoder: run `invoke build --heic` and `terraform apply`"
        )
    # Its parsers take time to import, and most sources are of other formats.
    from imaging.formats import heif_gain_map, heif_items  # noqa: PLC0415

    found = avif_boxes.read_streams(source)
    main = heif_items.read_main_picture(source)
    header = Header(
        FORMAT,
        source,
        source,
        main.losses + (NO_CREDENTIALS if found.has_content_credentials else ()),
        opening_nanoseconds=tiff_directories.tag_nanoseconds(found.exif),
        frame_count=1,
        is_lossy=True,
        depth=main.depth,
        colour=main.colour,
    )
    return heif_gain_map.with_gain_map(header, main.items, found.exif)


FORMAT = Format(
    name="HEIF",
    decoders=("HEIF",),
    recognises=_is_heic,
    # Few programs show HEIC.
    written_as="JPEG",
    cost=DecodingCost(pixel_bytes=12, pixel_nanoseconds=40),
    inspect=inspect,
    encoder=None,
)
