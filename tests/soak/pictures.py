"""Small JPEGs by the thousand, each of a size of its own, and some of them broken."""

import io
import random

from PIL import Image


def pictures(count: int, seed: int, *, broken: float = 0) -> dict[str, bytes]:
    """Draw so many, by key.

    Args:
        count: How many.
        seed: Other pictures with every other number.
        broken: The share of them that is cut off.

    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    noise = Image.effect_noise((400, 300), 40)
    drawn = {}
    for number in range(count):
        size = chance.randint(100, 400), chance.randint(80, 300)
        target = io.BytesIO()
        noise.resize(size, box=(0, 0, *size)).convert("RGB").save(target, "JPEG", comment=str(number))
        body = target.getvalue()
        drawn[f"{seed}/{number}.jpg"] = body[: len(body) // 2] if chance.random() < broken else body
    return drawn
