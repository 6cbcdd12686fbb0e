"""SSIMULACRA2 falls as an encoder's quality does."""

import io

from PIL import Image

from tools.imaging.pictures import cake, encode
from tools.imaging.ssimulacra2 import score


def test_an_equal_image_has_the_highest_score_and_each_lower_quality_a_lower_one() -> None:
    reference = cake(400, 300)
    encoded = [Image.open(io.BytesIO(encode(reference, "JPEG", quality=quality))) for quality in (95, 75, 30)]
    scores = [score(reference, image) for image in (reference, *encoded)]
    assert scores[0] == 100
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > 85
    assert scores[-1] < 70
