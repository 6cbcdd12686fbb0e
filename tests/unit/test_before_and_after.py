"""docs/before-and-after.png: it is what the task draws, and what is said in it of either handler is so."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms

from errors import Reason, RejectedError
from tests.images import decoded
from tools.benchmarks.contestants import classic, ours
from tools.dev.before_and_after import DOCUMENT, drawn, renew
from tools.dev.before_and_after.cases import FRAMES, Case, cases
from tools.dev.before_and_after.profile import PRO_PHOTO
from tools.dev.before_and_after.sheet import made, this_one, usual

CASES = {case.title: case for case in cases()}
PHONE, EDITOR, LOGO, ANIMATION, X_RAY, BROKEN = CASES.values()


def by_usual(case: Case) -> Image.Image:
    return decoded(made(classic.prepare, case))


def by_ours(case: Case) -> Image.Image:
    return decoded(made(ours.prepare, case))


def error(image: Image.Image, wanted: Image.Image) -> float:
    """Mean difference a channel, over white."""
    return float(
        np.mean([np.asarray(one, float) for one in ImageChops.difference(*map(on_white, (image, wanted))).split()])
    )


def on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def test_the_picture_is_what_is_drawn_now() -> None:
    with Image.open(DOCUMENT) as image:
        # A text's edges may differ by a version of FreeType, a word or a picture more.
        stands, now = image.convert("RGB").reduce(16), drawn().reduce(16)
    assert stands.size == now.size
    worst = max(high for _, high in ImageChops.difference(stands, now).getextrema())  # type: ignore[misc]
    assert worst <= 12, "run `invoke pictures`"


def test_the_picture_is_small(tmp_path: Path) -> None:
    path = renew(tmp_path / "picture.png")
    assert max(path.stat().st_size, DOCUMENT.stat().st_size) < 300_000


def test_a_phones_photo_lies_on_its_side_or_is_upright() -> None:
    assert (by_usual(PHONE).size, by_ours(PHONE).size) == ((144, 108), (108, 144))
    assert 0x0112 not in by_usual(PHONE).getexif()


def test_a_profile_is_lost_or_kept_byte_for_byte() -> None:
    profile = decoded(EDITOR.body).info["icc_profile"]
    assert "icc_profile" not in by_usual(EDITOR).info
    assert by_ours(EDITOR).info["icc_profile"] == profile


def test_the_profile_is_of_the_primaries_that_it_says() -> None:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(decoded(EDITOR.body).info["icc_profile"])).profile
    for colour, wanted in zip(
        (opened.red_colorant, opened.green_colorant, opened.blue_colorant), PRO_PHOTO, strict=True
    ):
        assert colour is not None
        assert colour[0] == pytest.approx(wanted, abs=1e-4)


def test_single_pixels_are_picked_or_all_are_weighed() -> None:
    source = decoded(LOGO.body)
    weighed = on_white(source).resize((120, 120), Image.Resampling.LANCZOS)
    picked = on_white(source).resize((120, 120), Image.Resampling.NEAREST)
    assert error(by_usual(LOGO), picked) == 0
    assert error(by_ours(LOGO), weighed) < error(by_usual(LOGO), weighed) / 3


def test_an_animation_has_one_frame_or_all() -> None:
    assert getattr(by_usual(ANIMATION), "n_frames", 1) == 1
    image = by_ours(ANIMATION)
    assert getattr(image, "n_frames", 1) == FRAMES
    assert image.info["duration"] == decoded(ANIMATION.body).info["duration"]


def test_sixteen_bits_raise_or_are_kept() -> None:
    with pytest.raises(ValueError, match="wrong mode"):
        by_usual(X_RAY)
    assert (by_ours(X_RAY).mode, by_ours(X_RAY).size) == ("I;16", (160, 120))


def test_what_broke_off_raises_or_is_rejected() -> None:
    with pytest.raises(OSError, match="truncated"):
        by_usual(BROKEN)
    with pytest.raises(RejectedError) as caught:
        by_ours(BROKEN)
    assert caught.value.reason is Reason.CORRUPT


def test_where_there_is_no_picture_the_words_are_the_handlers_own() -> None:
    assert usual(X_RAY).said == "raises ValueError: image has wrong mode"
    assert this_one(BROKEN).said.startswith("writes nothing, and records why: corrupt: the image cannot be decoded: ")
    assert [case.title for case in CASES.values() if not usual(case).frames] == [X_RAY.title, BROKEN.title]
