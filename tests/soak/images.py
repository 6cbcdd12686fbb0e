"""Thousands of mixed images through one process, which must hold no more memory after the last."""

import ctypes
import io
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from errors import RejectedError
from imaging.limits import MIB, Limits
from imaging.render import render
from renditions import Rendition
from tools.common.errors import ToolError

WARM_UP = 100
"""Images until the memory that is only taken once has been taken."""

TOLERANCE = 1.1
"""How much above that the memory in use may be later."""

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


@dataclass
class Progress:
    """What was seen so far.

    Attributes:
        outcomes: How many images ended how: ``written``, or the reason of the rejection.
        resident: The resident size in bytes after every hundredth image.
        in_use: The same once the allocator has given back what is free.

    """

    outcomes: Counter[str] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)
    in_use: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The most memory in use since the warm-up, by that of the warm-up."""
        return max(self.in_use) / self.in_use[0]

    def look(self) -> None:
        """Take the process's measure."""
        self.resident.append(_resident_bytes())
        LIBC.malloc_trim(0)
        self.in_use.append(_resident_bytes())


def mixed_images(images: int, seed: int, say: Callable[[str], None]) -> Progress:
    """Render ``images`` mixed images, the same for the same seed, one after the other.

    Raises:
        ToolError: More memory was in use later than after the first hundred.

    """
    progress = Progress()
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(1, images + 1):
        try:
            render(_source(chance), RENDITIONS, limits=LIMITS)
        except RejectedError as rejection:
            progress.outcomes[rejection.reason.value] += 1
        else:
            progress.outcomes["written"] += 1
        if number % WARM_UP == 0:
            progress.look()
        if number % (10 * WARM_UP) == 0 or number == WARM_UP:
            resident, in_use = progress.resident[-1] / MIB, progress.in_use[-1] / MIB
            say(f"{number:>6} images, {resident:.0f} MiB resident, {in_use:.0f} MiB of it in use")
    if progress.in_use and progress.growth > TOLERANCE:
        raise ToolError(
            f"Memory in use grew to {progress.growth:.2f} times that of the first {WARM_UP} images: something leaks"
        )
    return progress


def _source(random: random.Random) -> bytes:
    """An image of any format and mode; some are animated, some damaged."""
    image_format = random.choice(list(MODES))
    size = random.choice([1, random.randint(2, 60), random.randint(60, 1600)]), random.randint(1, 1200)
    image = _drawn(random.choice(MODES[image_format]), size, random)
    options: dict[str, Any] = {}
    if image_format in {"GIF", "WEBP", "PNG", "AVIF", "TIFF"} and random.random() < 0.2:
        turned = [image.transpose(Image.Transpose.ROTATE_180) for _ in range(random.randint(1, 5))]
        options = {"save_all": True, "append_images": turned}
    if image_format == "JPEG":
        options = {"quality": random.randint(10, 95), "progressive": random.random() < 0.3}
    target = io.BytesIO()
    image.save(target, image_format, **options)
    source = bytearray(target.getvalue())
    damage = random.random()
    if damage < 0.05:
        source = source[: random.randint(0, len(source))]
    elif damage < 0.1:
        source[random.randrange(len(source))] ^= 255
    return bytes(source)


def _drawn(mode: str, size: tuple[int, int], random: random.Random) -> Image.Image:
    image = Image.effect_noise(size, random.uniform(1, 60)).convert("RGBA")
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        corners = sorted(random.choices(range(size[0]), k=2)) + sorted(random.choices(range(size[1]), k=2))
        colour = tuple(random.choices(range(256), k=4))
        draw.rectangle((corners[0], corners[2], corners[1], corners[3]), fill=colour)
    if mode == "I;16":
        return image.convert("L").convert("I").convert("I;16")
    return image if mode == "RGBA" else image.convert("RGB").convert(mode) if mode != "LA" else image.convert("LA")


def _resident_bytes() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if not found:
        raise ToolError("No resident size in /proc/self/status: run the soak on Linux")
    return int(found[1]) << 10
