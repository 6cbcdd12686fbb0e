"""GIFs: disposal, transparency, palettes of scenes, and blocks that are left out before Pillow decodes."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from errors import Reason
from imaging import palette
from imaging.formats import gif_blocks, gif_writer
from imaging.formats.gif import inspect
from tests.gifs import BLACK, BLUE, GREEN, RED, frame, gif
from tests.images import encode, load
from tests.unit.rendering import output_body, rejection, render_one


def resize_frames(source: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Return the frames of the output in RGBA, half as large."""
    return read_frames(output_body(source))


def read_frames(body: bytes) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(load(body))]


def read_durations(body: bytes) -> list[int]:
    return [frame.info["duration"] for frame in ImageSequence.Iterator(load(body))]


def test_the_first_frame_enlarges_the_canvas_and_others_are_clipped() -> None:
    frames = [frame((10, 10, 30, 30), RED), frame((30, 30, 40, 40), GREEN), frame((50, 50, 9, 9), BLUE)]
    first, second, third = resize_frames(gif(frames, (20, 20)))
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
def test_every_disposal_of_a_frame(disposal: int, behind: tuple[int, ...]) -> None:
    frames = [
        frame((0, 0, 40, 40), RED),
        frame((0, 0, 20, 20), GREEN, disposal=disposal, transparent=BLACK),
        frame((20, 20, 20, 20), BLUE),
    ]
    last = resize_frames(gif(frames, (40, 40)))[-1]
    seen = tuple(last[5, 5])
    assert seen[3] == behind[3]
    assert behind[3] == 0 or seen == behind
    assert tuple(last[15, 15]) == (0, 0, 255, 255)


def test_transparent_pixels_show_the_previous_frame() -> None:
    frames = [frame((0, 0, 40, 40), RED), frame((0, 0, 40, 40), BLACK, transparent=BLACK, delay=20)]
    source = gif([*frames, frame((0, 0, 20, 40), GREEN)], (40, 40))
    last = resize_frames(source)[-1]
    assert (tuple(last[5, 5]), tuple(last[5, 15])) == ((0, 255, 0, 255), (255, 0, 0, 255))


def test_equal_frames_keep_their_total_duration() -> None:
    box = (0, 0, 8, 8)
    source = gif([frame(box, RED, delay=5), frame(box, RED, delay=7), frame(box, BLUE)], (8, 8))
    assert sum(read_durations(output_body(source))) == 220


@pytest.mark.parametrize(("level", "is_opaque"), [(100, False), (127, False), (128, True), (200, True)])
def test_alpha_is_rounded_to_opaque_or_transparent(level: int, is_opaque: bool) -> None:
    (painted,) = palette.to_scene_palettes([Image.new("RGBA", (20, 20), (200, 100, 50, level))])
    assert (painted.image.getpixel((5, 5)) != painted.palette.transparent) == is_opaque


@pytest.mark.parametrize("transparency", [None, 255])
def test_a_small_change_adds_few_bytes(transparency: int | None) -> None:
    still = Image.effect_noise((200, 200), 50).quantize(200)
    moved = still.copy()
    moved.paste(0, (10, 10, 30, 30))
    moved.paste(0, (180, 180, 190, 190))
    options = {} if transparency is None else {"transparency": transparency}
    source = encode(still, "GIF", save_all=True, append_images=[moved, still, moved], duration=50, **options)
    assert len(output_body(source)) < 1.5 * len(output_body(encode(still, "GIF")))


@pytest.mark.parametrize("gap", [0, 1, 3])
def test_pixels_uncovered_by_disposal_are_transparent(gap: int) -> None:
    """For empty frames before, after and between others, Pillow writes a second header."""
    nothing = frame((0, 0, 8, 8), BLACK, transparent=BLACK, disposal=2)
    frames = 4 * [nothing]
    frames[gap] = frame((0, 0, 4, 8), RED, transparent=BLACK, disposal=2)
    source = gif(frames, (8, 8))
    body = output_body(source)
    assert body.count(b"GIF89a") == 1
    seen = [[bool(pixels[2, 1, 3]), bool(pixels[2, 3, 3])] for pixels in read_frames(body)]
    assert seen == [[number == gap, False] for number in range(4)]


def test_frames_that_become_equal_stay_an_animation() -> None:
    red = frame((0, 0, 2, 2), RED)
    source = gif([red, frame((0, 0, 2, 2), RED, delay=20), red], (2, 2))
    body = output_body(source)
    assert read_durations(body) == [100, 200, 100]
    assert all((frame == (255, 0, 0, 255)).all() for frame in read_frames(body))


def test_each_of_many_frames_keeps_its_colours() -> None:
    colours = [(hue, 255 - hue, abs(128 - hue)) for hue in range(0, 256, 12)]
    frames = [Image.new("RGB", (400, 400), colour) for colour in colours]
    source = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    for got, want in zip(resize_frames(source), colours, strict=True):
        assert np.abs(got[50, 50, :3].astype(int) - want).max() <= 2


COLOURS = [(60 + 130 * (place & 1), 60 + 65 * (place & 2), 60 + 33 * (place & 4)) for place in range(8)]


def make_noise(colour: tuple[int, int, int], seed: int) -> Image.Image:
    """Return more shades of a colour than a palette has, on a white background."""
    levels = np.random.default_rng(seed).integers(-60, 60, (96, 96, 3)) + colour
    levels[:, :40] = 255
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def test_a_scene_has_its_own_palette_if_a_shared_one_is_too_coarse() -> None:
    scenes = [make_noise(colour, 7).quantize(256).convert("RGB") for colour in COLOURS for _ in range(2)]
    alone = [gif_writer.write([scene], palette.to_scene_palettes([scene]), (), None) for scene in scenes[::2]]
    frames = palette.to_scene_palettes(scenes)
    assert len({frame.palette.colours for frame in frames}) == 8
    body = gif_writer.write(scenes, frames, 16 * [50], 0)
    for got, wanted in zip(read_frames(body), scenes, strict=True):
        assert (got[:, :40] == 255).all()
        assert palette.compare(wanted, Image.fromarray(got)).is_at_least(palette.FAITHFUL)
    # Unchanged pixels are not written again.
    assert len(body) < 1.1 * sum(map(len, alone))


def test_the_number_of_palettes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette, "PALETTES", 1)
    monkeypatch.setattr(palette, "PALETTE_PIXELS", 1 << 30)
    scenes = [make_noise(COLOURS[0], 7), make_noise(COLOURS[0], 8), *(make_noise(colour, 7) for colour in COLOURS[1:])]
    frames = palette.to_scene_palettes([scene.quantize(256).convert("RGB") for scene in scenes])
    first, second, *others = [frame.palette.colours for frame in frames]
    assert first == second
    assert len(set(others)) == 1
    assert first not in others


def test_a_palette_without_improvement_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = palette.to_shared_palette

    def count_palettes(*args: Any, **options: Any) -> list[palette.IndexedImage]:
        made.append(args)
        return make(*args, **options)

    monkeypatch.setattr(palette, "to_shared_palette", count_palettes)
    noise = np.random.default_rng(7).integers(0, 256, (96, 96, 3), np.uint8)
    frames = palette.to_scene_palettes([Image.fromarray(np.roll(noise, shift, 0)) for shift in range(6)])
    assert len({frame.palette.colours for frame in frames}) == 1
    assert len(made) == 2


def test_a_scene_keeps_its_palette_if_no_palette_is_faithful() -> None:
    """No palette is faithful to either of two scenes of noise; one for both is worse still."""
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


def test_invisible_blocks_are_removed_before_decoding() -> None:
    comment = b"\x21\xfe" + b"\x02ab" * 1000 + b"\0"
    plain = gif([frame((0, 0, 8, 8), RED), frame((0, 0, 8, 8), BLUE)], (8, 8))
    start = len(gif([], (8, 8), trailer=b""))
    empty = b"\x21\0\0" + b"\x21\xff\0" + b"\x21\xff\x0bNETSCAPE2.0\0"
    source = plain[:start] + comment + b"rubbish" + empty + plain[start:-1] + empty + comment + comment + b"\x3b"
    assert inspect(source).readable == plain
    assert inspect(plain).readable is plain
    assert len(resize_frames(source)) == 2


@pytest.mark.parametrize("blocks", [b"", b"\x21\xfe\1a\0", b"\x21\0\0\x2crubbish"])
def test_a_gif_without_a_frame_is_rejected(blocks: bytes) -> None:
    assert rejection(gif([blocks], (8, 8))).reason is Reason.CORRUPT


PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:Version="2.0 \xc3\xa9"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def test_xmp_is_kept_beside_the_frames() -> None:
    frames = [frame((0, 0, 40, 40), colour) for colour in (RED, GREEN)]
    rendered = render_one(gif_writer.add_xmp(gif(frames, (40, 40)), PACKET))
    body = rendered.outputs[0].body
    assert 'plus:Version="2.0 é"' in inspect(body).xmp.decode()
    assert (len(read_frames(body)), rendered.lost) == (2, {})


def test_xmp_without_its_end_is_named_as_lost() -> None:
    body = gif([frame((0, 0, 40, 40), RED)], (40, 40))
    block = b"\x21" + gif_blocks.XMP + bytes([len(PACKET) - 1]) + PACKET[:-1] + b"\0"
    rendered = render_one(body[:-1] + block + body[-1:])
    assert list(rendered.lost) == ["xmp"]


def test_a_colour_of_16_megapixels_stays() -> None:
    """Pillow sums levels in 32 bits: white became black, or its k-means never ended."""
    image = Image.new("RGB", (4110, 4110), "white")
    image.paste("red", (0, 0, 50, 50))
    shown = palette.quantize(image).convert("RGB")
    assert shown.getcolors() == [(4110**2 - 2500, (255, 255, 255)), (2500, (255, 0, 0))]
