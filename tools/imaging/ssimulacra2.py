"""SSIMULACRA2, a score of how an encoded image looks; needs `tools/requirements/judges.txt`."""

import io

import ssimulacra2
from PIL import Image

from tools.imaging.pictures import encode


def score(reference: Image.Image, other: Image.Image) -> float:
    """Return the score of an image: 100 is identical, 90 looks identical, 70 is high quality, 50 medium.

    https://github.com/cloudinary/ssimulacra2 describes the scale. Alpha is ignored. Below 256 pixels on a side, the
    score lacks the coarsest of its six scales, and is not comparable.

    Args:
        reference: The original.
        other: As large as the reference.

    """
    # The wheel opens files, and reads alpha from none of them.
    originals, others = (io.BytesIO(encode(image, "PPM")) for image in (reference, other))
    return float(ssimulacra2.compute_ssimulacra2(originals, others))
