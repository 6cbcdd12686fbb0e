"""Whatever is damaged in a file, it is an image or a rejection: our own code fails at nothing."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import RejectedError
from imaging.limits import Limits
from imaging.render import render
from renditions import MetadataPolicy, Rendition
from tests.images import encoded, picture
from tests.unit.test_own_errors import SOURCES

FILES = [
    *(make() for name, make in SOURCES.items() if not name.startswith("packed")),
    *(
        encoded(picture(33, 21), "TIFF", compression=name)
        for name in ("packbits", "tiff_adobe_deflate", "jpeg", "lzma")
    ),
    encoded(picture(33, 21), progressive=True),
    encoded(picture(33, 21), "WEBP", lossless=True),
]
RENDITIONS = [Rendition("half", scale=0.5), Rendition("icon", width=8, height=8, fit="cover", format="jpeg")]
NUMBERS = [0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]

number = st.tuples(st.sampled_from(NUMBERS), st.sampled_from([1, 2, 4]), st.sampled_from(["big", "little"])).map(
    lambda drawn: (drawn[0] & ((1 << 8 * drawn[1]) - 1)).to_bytes(drawn[1], drawn[2])  # type: ignore[arg-type]  # an order
)
edit = st.tuples(
    st.floats(0, 1),
    st.integers(0, 40),
    st.sampled_from(["set", "cut off", "leave out", "repeat"]),
    st.booleans(),
    number,
)


def damaged(source: bytes, edits: list[tuple[float, int, str, bool, bytes]]) -> bytes:
    """The file with each of the edits made, in order: half of them among the first bytes, where headers are."""
    for share, length, kind, is_early, value in edits:
        place = int(share * (min(len(source), 200) if is_early else len(source)))
        before, part, after = source[:place], source[place : place + length], source[place + length :]
        source = {
            "set": before + value + source[place + len(value) :],
            "cut off": before,
            "leave out": before + after,
            "repeat": before + part + part + after,
        }[kind]
    return source


@settings(max_examples=500, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=st.sampled_from(FILES), edits=st.lists(edit, min_size=1, max_size=4))
def test_damage_is_a_rejection_or_nothing(source: bytes, edits: list[tuple[float, int, str, bool, bytes]]) -> None:
    with contextlib.suppress(RejectedError):
        render(damaged(source, edits), RENDITIONS, limits=Limits(512 << 20), metadata=MetadataPolicy.ALL)
