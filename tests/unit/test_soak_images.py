"""Rendering thousands of mixed images in one process leaks no memory."""

import ctypes
import io
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from errors import RejectedError
from imaging.limits import MIB, Limits
from imaging.render import render
from renditions import Rendition
from tools.common.progress import show_progress

WARM_UP = 100
"""The number of images after which all one-time allocations are done."""

TOLERANCE = 1.1
"""The most memory in use after the warm-up, divided by the memory in use at its end."""

MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "GIF": ("L", "P", "RGB", "RGBA"),
    "WEBP": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "RGB", "RGBA", "CMYK", "I;16"),
    "BMP": ("L", "P", "RGB"),
    "AVIF": ("RGB", "RGBA"),
}
RENDITIONS = (Rendition("half", scale=0.5), Rendition("web", width=320, format="webp"))
LIMITS = Limits(1769 * MIB)
LIBC = ctypes.CDLL(None)


@pytest.mark.soak(few=40, many=10_000)
def test_mixed_images_leak_no_memory(count: int) -> None:
    outcomes, in_use = render_mixed(count)
    print(f"{count:,} images of all formats, some animated, some damaged: {dict(outcomes.most_common())}")
    assert outcomes["written"] > 0.75 * count
    if in_use:
        growth = compute_growth(in_use)
        print(f"At most {max(in_use) // MIB} MiB in use, {growth:.2f} times as much as after the first {WARM_UP}")
        assert growth < TOLERANCE


def test_a_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked: list[bytes] = []
    # Leak a share of the memory that earlier tests have made this process use.
    much = read_resident_bytes() // 10240
    monkeypatch.setitem(globals(), "render", lambda *_, **__: leaked.append(bytes(range(256)) * much))
    monkeypatch.setitem(globals(), "WARM_UP", 20)
    _, in_use = render_mixed(60)
    assert compute_growth(in_use) > TOLERANCE


def render_mixed(count: int) -> tuple[Counter[str], list[int]]:
    """Render mixed images, always in the same order.

    Returns:
        How many images had each outcome, ``written`` or the reason of the rejection; and the bytes in use after every
        hundredth image.

    """
    outcomes: Counter[str] = Counter()
    in_use = []
    chance = random.Random(1)  # noqa: S311 - no secret
    with show_progress("Rendering images", count) as update:
        for number in range(1, count + 1):
            try:
                render(draw_source(chance), RENDITIONS, limits=LIMITS)
            except RejectedError as rejection:
                outcomes[rejection.reason.value] += 1
            else:
                outcomes["written"] += 1
            update(advance=1)
            if number % WARM_UP == 0:
                # Memory that the allocator keeps for later is not in use.
                LIBC.malloc_trim(0)
                in_use.append(read_resident_bytes())
    return outcomes, in_use


def compute_growth(in_use: list[int]) -> float:
    return max(in_use) / in_use[0]


def read_resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) << 10


def draw_source(chance: random.Random) -> bytes:
    """Draw an image of any format and mode; some are animated, some damaged."""
    image_format = chance.choice(list(MODES))
    size = chance.choice([1, chance.randint(2, 60), chance.randint(60, 1600)]), chance.randint(1, 1200)
    image = draw_image(chance.choice(MODES[image_format]), size, chance)
    options: dict[str, Any] = {}
    if image_format in {"GIF", "WEBP", "PNG", "AVIF", "TIFF"} and chance.random() < 0.2:
        turned = [image.transpose(Image.Transpose.ROTATE_180) for _ in range(chance.randint(1, 5))]
        options = {"save_all": True, "append_images": turned}
    if image_format == "JPEG":
        options = {"quality": chance.randint(10, 95), "progressive": chance.random() < 0.3}
    target = io.BytesIO()
    image.save(target, image_format, **options)
    source = bytearray(target.getvalue())
    damage = chance.random()
    if damage < 0.05:
        source = source[: chance.randint(0, len(source))]
    elif damage < 0.1:
        source[chance.randrange(len(source))] ^= 255
    return bytes(source)


def draw_image(mode: str, size: tuple[int, int], chance: random.Random) -> Image.Image:
    image = Image.effect_noise(size, chance.uniform(1, 60)).convert("RGBA")
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        corners = sorted(chance.choices(range(size[0]), k=2)) + sorted(chance.choices(range(size[1]), k=2))
        colour = tuple(chance.choices(range(256), k=4))
        pen.rectangle((corners[0], corners[2], corners[1], corners[3]), fill=colour)
    if mode == "I;16":
        return image.convert("L").convert("I").convert("I;16")
    if mode in {"RGBA", "LA"}:
        return image.convert(mode)
    return image.convert("RGB").convert(mode)
