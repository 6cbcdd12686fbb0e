"""docs/before-and-after.png shows what both handlers return today."""

import numpy as np
from PIL import Image

from tools.dev.before_and_after import DOCUMENT, draw


def test_the_picture_shows_what_both_handlers_return_today() -> None:
    with Image.open(DOCUMENT) as image:
        # Averaged, because FreeType's versions draw the edges of text differently.
        committed, drawn = (np.asarray(one.convert("RGB").reduce(16), int) for one in (image, draw()))
    assert committed.shape == drawn.shape
    assert np.abs(committed - drawn).max() <= 12, "run `invoke pictures`"
    assert DOCUMENT.stat().st_size < 300_000
