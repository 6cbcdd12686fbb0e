"""GIFs put together block by block, with what real ones have and Pillow does not write."""

import io
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from errors import Reason, RejectedError
from imaging import palette
from imaging.formats import gif_writer
from imaging.formats.gif import inspect
from imaging.limits import Limits
from imaging.render import render
from renditions import Rendition
from tests.images import encoded, picture

LIMITS = Limits(1769 << 20)
RED, GREEN, BLUE, BLACK = range(4)
PALETTE = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0])


def frame(
    box: tuple[int, int, int, int],
    colour: int,
    *,
    delay: int = 10,
    disposal: int = 1,
    transparent: int | None = None,
) -> bytes:
    """A frame of one colour at left, top, width and height, uncompressed: a clear code before every pixel."""
    left, top, width, height = box
    control = struct.pack("<BHB", disposal << 2 | (transparent is not None), delay, transparent or 0)
    codes = [code for _ in range(width * height) for code in (4, colour)] + [5]
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes(-(-3 * len(codes) // 8), "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    image = struct.pack("<HHHHB", left, top, width, height, 0)
    return b"\x21\xf9\x04" + control + b"\0" + b"\x2c" + image + b"\x02" + blocks + b"\0"


def gif(screen: tuple[int, int], frames: Iterable[bytes], *, trailer: bytes = b"\x3b") -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81, 0, 0) + PALETTE + b"".join(frames) + trailer


def shown(source: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The output's frames in RGBA, half as large."""
    return frames_of(render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs[0].body)


def frames_of(body: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    image = Image.open(io.BytesIO(body))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGBA")))
    return frames


def test_the_first_frame_makes_the_canvas_grow_and_others_are_clipped() -> None:
    frames = [frame((10, 10, 30, 30), RED), frame((30, 30, 40, 40), GREEN), frame((50, 50, 9, 9), BLUE)]
    first, second, third = shown(gif((20, 20), frames))
    assert first.shape == second.shape == (20, 20, 4)
    assert (first[2, 2, 3], tuple(first[18, 18])) == (0, (255, 0, 0, 255))
    assert (tuple(second[8, 8]), tuple(second[18, 18])) == ((255, 0, 0, 255), (0, 255, 0, 255))
    assert (third == second).all()


@pytest.mark.parametrize(
    ("disposal", "behind"),
    [
        (0, (0, 255, 0, 255)),
        (1, (0, 255, 0, 255)),
        (2, (0, 0, 0, 0)),
        (3, (255, 0, 0, 255)),
        (4, (255, 0, 0, 255)),
    ],
)
def test_a_frame_leaves_behind_what_it_says(disposal: int, behind: tuple[int, ...]) -> None:
    frames = [
        frame((0, 0, 40, 40), RED),
        frame((0, 0, 20, 20), GREEN, disposal=disposal, transparent=BLACK),
        frame((20, 20, 20, 20), BLUE),
    ]
    last = shown(gif((40, 40), frames))[-1]
    seen = tuple(last[5, 5])
    assert seen[3] == behind[3]
    assert behind[3] == 0 or seen == behind
    assert tuple(last[15, 15]) == (0, 0, 255, 255)


def test_what_a_frame_leaves_transparent_shows_the_one_before() -> None:
    frames = [frame((0, 0, 40, 40), RED), frame((0, 0, 40, 40), BLACK, transparent=BLACK, delay=20)]
    source = gif((40, 40), [*frames, frame((0, 0, 20, 40), GREEN)])
    last = shown(source)[-1]
    assert (tuple(last[5, 5]), tuple(last[5, 15])) == ((0, 255, 0, 255), (255, 0, 0, 255))


def test_equal_frames_may_become_one_that_is_shown_as_long() -> None:
    source = gif(
        (8, 8), [frame((0, 0, 8, 8), RED, delay=5), frame((0, 0, 8, 8), RED, delay=7), frame((0, 0, 8, 8), BLUE)]
    )
    (output,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    image = Image.open(io.BytesIO(output.body))
    durations = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        durations.append(image.info["duration"])
    assert sum(durations) == 220


@pytest.mark.parametrize(("level", "is_seen"), [(100, False), (127, False), (128, True), (200, True)])
def test_alpha_becomes_seen_or_not(level: int, is_seen: bool) -> None:
    (painted,) = palette.to_scene_palettes([Image.new("RGBA", (20, 20), (200, 100, 50, level))])
    assert (painted.image.getpixel((5, 5)) != painted.palette.transparent) == is_seen


def test_a_small_change_costs_little() -> None:
    still = picture(200, 200).quantize(64).convert("RGB")
    moved = still.copy()
    moved.paste((255, 0, 255), (10, 10, 20, 20))
    moved.paste((255, 0, 255), (180, 180, 190, 190))
    source = encoded(still, "GIF", save_all=True, append_images=[moved, still, moved], duration=50)
    (animated,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    (alone,) = render(encoded(still, "GIF"), [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    assert len(animated.body) < 1.5 * len(alone.body)


def test_frames_that_are_seen_through_nowhere_cost_what_changes_and_no_more() -> None:
    still = Image.effect_noise((200, 200), 50).quantize(200)
    moved = still.copy()
    moved.paste(0, (10, 10, 30, 30))
    source = encoded(still, "GIF", save_all=True, append_images=[moved, still, moved], duration=50, transparency=255)
    (animated,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    (alone,) = render(encoded(still, "GIF"), [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    assert len(animated.body) < 1.5 * len(alone.body)


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_what_is_uncovered_again_is_transparent_again(gap: int) -> None:
    """Frames that show nothing, before, behind and between others: Pillow writes a header in the middle of them."""
    nothing = frame((0, 0, 8, 8), BLACK, transparent=BLACK, disposal=2)
    frames = 4 * [nothing]
    frames[gap] = frame((0, 0, 4, 8), RED, transparent=BLACK, disposal=2)
    source = gif((8, 8), frames)
    (output,) = render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs
    assert output.body.count(b"GIF89a") == 1
    seen = [[bool(pixels[2, 1, 3]), bool(pixels[2, 3, 3])] for pixels in frames_of(output.body)]
    assert seen == [[number == gap, False] for number in range(4)]


def test_frames_that_become_equal_stay_an_animation() -> None:
    red = frame((0, 0, 2, 2), RED)
    source = gif((2, 2), [red, frame((0, 0, 2, 2), RED, delay=20), red])
    image = Image.open(io.BytesIO(render(source, [Rendition("half", scale=0.5)], limits=LIMITS).outputs[0].body))
    durations = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        durations.append(image.info["duration"])
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert durations == [100, 200, 100]


def test_each_of_many_frames_has_its_colours() -> None:
    colours = [(hue, 255 - hue, abs(128 - hue)) for hue in range(0, 256, 12)]
    frames = [Image.new("RGB", (400, 400), colour) for colour in colours]
    source = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    for got, want in zip(shown(source), colours, strict=True):
        assert np.abs(got[50, 50, :3].astype(int) - want).max() <= 2


COLOURS = [(60 + 130 * (place & 1), 60 + 65 * (place & 2), 60 + 33 * (place & 4)) for place in range(8)]


def noisy(colour: tuple[int, int, int], seed: int) -> Image.Image:
    """Hues of a colour, more than a palette has, on a white ground."""
    levels = np.random.default_rng(seed).integers(-60, 60, (96, 96, 3)) + colour
    levels[:, :40] = 255
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def test_a_scene_has_a_palette_of_its_own_where_one_for_all_is_too_rough() -> None:
    scenes = [noisy(colour, 7).quantize(256).convert("RGB") for colour in COLOURS for _ in range(2)]
    alone = [gif_writer.write([scene], palette.to_scene_palettes([scene]), (), None) for scene in scenes[::2]]
    frames = palette.to_scene_palettes(scenes)
    assert len({frame.palette.colours for frame in frames}) == 8
    body = gif_writer.write(scenes, frames, 16 * [50], 0)
    for shown, wanted in zip(frames_of(body), scenes, strict=True):
        assert (shown[:, :40] == 255).all()
        assert palette.compare(wanted, Image.fromarray(shown)).reaches(palette.FAITHFUL)
    # What did not change is not written again.
    assert len(body) < 1.1 * sum(map(len, alone))


def test_no_more_palettes_are_made_than_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette, "PALETTES", 1)
    monkeypatch.setattr(palette, "PALETTE_PIXELS", 1 << 30)
    scenes = [noisy(COLOURS[0], 7), noisy(COLOURS[0], 8), *(noisy(colour, 7) for colour in COLOURS[1:])]
    frames = palette.to_scene_palettes([scene.quantize(256).convert("RGB") for scene in scenes])
    first, second, *others = [frame.palette.colours for frame in frames]
    assert first == second
    assert len(set(others)) == 1
    assert first not in others


def test_a_palette_that_brings_nothing_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = palette.to_shared_palette

    def counted(*args: Any, **options: Any) -> list[palette.IndexedImage]:
        made.append(args)
        return make(*args, **options)

    monkeypatch.setattr(palette, "to_shared_palette", counted)
    noise = np.random.default_rng(7).integers(0, 256, (96, 96, 3), np.uint8)
    frames = palette.to_scene_palettes([Image.fromarray(np.roll(noise, shift, 0)) for shift in range(6)])
    assert len({frame.palette.colours for frame in frames}) == 1
    assert len(made) == 2


def test_a_scene_keeps_its_palette_though_none_is_near() -> None:
    """Of each of two scenes of noise no palette is near enough; one for both is farther."""
    levels = np.random.default_rng(7).integers(0, 110, (96, 96, 3), np.uint8)
    scenes = [Image.fromarray(np.roll(levels + added, shift, 0)) for added in (0, 140) for shift in range(4)]
    kinds = [frame.palette.colours for frame in palette.to_scene_palettes(scenes)]
    assert (len(set(kinds[:4])), len(set(kinds[4:]))) == (1, 1)
    assert kinds[0] != kinds[4]


def test_a_large_still_keeps_its_rarest_colour() -> None:
    image = Image.new("RGB", (1200, 900), "white")
    for level in range(200):
        image.paste((level, level, 255), (6 * level, 0, 6 * level + 6, 800))
        image.paste((level, 255, level), (6 * level, 800, 6 * level + 6, 899))
    image.paste("red", (3, 3, 5, 5))
    (painted,) = palette.to_scene_palettes([image])
    assert painted.shown.getpixel((4, 4)) == (255, 0, 0, 255)


def test_what_nobody_sees_is_not_given_to_the_decoder() -> None:
    comment = b"\x21\xfe" + b"\x02ab" * 1000 + b"\0"
    plain = gif((8, 8), [frame((0, 0, 8, 8), RED), frame((0, 0, 8, 8), BLUE)])
    start = len(gif((8, 8), [], trailer=b""))
    empty = b"\x21\0\0" + b"\x21\xff\0" + b"\x21\xff\x0bNETSCAPE2.0\0"
    source = plain[:start] + comment + b"rubbish" + empty + plain[start:-1] + empty + comment + comment + b"\x3b"
    assert inspect(source).readable == plain
    assert inspect(plain).readable is plain
    assert len(shown(source)) == 2


@pytest.mark.parametrize("blocks", [b"", b"\x21\xfe\1a\0", b"\x21\0\0\x2crubbish"])
def test_one_without_a_frame_is_rejected(blocks: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        render(gif((8, 8), [blocks]), [Rendition("half", scale=0.5)], limits=LIMITS)
    assert caught.value.reason is Reason.CORRUPT


def test_a_missing_trailer_cuts_nothing_off() -> None:
    assert len(shown(gif((8, 8), [frame((0, 0, 8, 8), RED), frame((0, 0, 8, 8), BLUE)], trailer=b""))) == 2


def test_wherever_a_frame_is_cut_off_all_of_it_is_rejected() -> None:
    whole = gif((8, 8), [frame((0, 0, 8, 8), RED)], trailer=b"")
    source = whole + frame((0, 0, 8, 8), BLUE)
    for length in range(len(whole) + 1, len(source) - 1):
        with pytest.raises(RejectedError) as caught:
            render(source[:length], [Rendition("half", scale=0.5)], limits=LIMITS)
        assert caught.value.reason is Reason.CORRUPT
