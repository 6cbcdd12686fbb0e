"""The soak: thousands of mixed images through one process, whose resident memory must stay flat."""

import io
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from errors import RejectedError
from render import render
from renditions import Rendition
from settings import Limits
from tools.errors import ToolError

WARM_UP = 100
"""Images until the memory that is only taken once has been taken."""

TOLERANCE = 1.1
"""How much above that the resident size may be later: the allocator's, and the largest images may come late."""

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
LIMITS = Limits(1769 << 20)
MIB = 1 << 20


@dataclass
class Progress:
    """What was seen so far.

    Attributes:
        outcomes: How many images ended how: ``written``, or the reason of the rejection.
        resident: Bytes after every hundredth image.

    """

    outcomes: Counter[str] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """The largest resident size since the warm-up, by that of the warm-up."""
        return max(self.resident) / self.resident[0]


def soak(images: int, seed: int, say: Callable[[str], None]) -> Progress:
    """Render ``images`` mixed images, the same for the same seed, one after the other.

    Raises:
        ToolError: The resident size kept growing after the first hundred.

    """
    progress = Progress()
    for number, source in enumerate(_sources(images, random.Random(seed)), start=1):  # noqa: S311 - no secret
        try:
            render(source, RENDITIONS, limits=LIMITS)
        except RejectedError as rejection:
            progress.outcomes[rejection.reason.value] += 1
        else:
            progress.outcomes["written"] += 1
        if number % WARM_UP == 0:
            progress.resident.append(_resident_bytes())
            if number % (10 * WARM_UP) == 0 or number == WARM_UP:
                say(f"{number:>6} images, {progress.resident[-1] / MIB:.0f} MiB resident")
    if progress.resident and progress.growth > TOLERANCE:
        raise ToolError(
            f"Resident memory grew to {progress.growth:.2f} times that of the first {WARM_UP} images: something leaks"
        )
    return progress


def _sources(count: int, random: random.Random) -> Iterator[bytes]:
    """Images of every format and mode, some animated, some damaged, some no image at all."""
    for _ in range(count):
        image_format = random.choice(list(MODES))
        size = random.choice([1, random.randint(2, 60), random.randint(60, 1600)]), random.randint(1, 1200)
        frames = [_drawn(random.choice(MODES[image_format]), size, random)]
        options: dict[str, Any] = {}
        if image_format in {"GIF", "WEBP", "PNG", "AVIF", "TIFF"} and random.random() < 0.2:
            frames += [frames[0].transpose(Image.Transpose.ROTATE_180) for _ in range(random.randint(1, 5))]
            options = {"save_all": True, "append_images": frames[1:]}
        if image_format == "JPEG":
            options = {"quality": random.randint(10, 95), "progressive": random.random() < 0.3}
        target = io.BytesIO()
        frames[0].save(target, image_format, **options)
        source = bytearray(target.getvalue())
        damage = random.random()
        if damage < 0.05:
            source = source[: random.randint(0, len(source))]
        elif damage < 0.1:
            source[random.randrange(len(source))] ^= 255
        yield bytes(source)


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
