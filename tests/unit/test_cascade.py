"""Several renditions: each is made from the smallest image with enough pixels, and looks as if made from the source."""

import pytest

from renditions import Rendition
from tests.images import encode, encode_oriented
from tests.unit.test_shrunk import draw_detail, measure_fidelity, render_outputs

SCALES = (0.64, 0.426, 0.32, 0.213)
EQUAL = 70
"""More than the PSNR of images that differ in a few pixels, in dB."""


@pytest.mark.parametrize(("mode", "from_renditions", "least"), [("RGB", SCALES[2:], 53), ("RGBA", SCALES[3:], 45)])
def test_a_rendition_of_half_anothers_size_is_made_from_it(
    mode: str, from_renditions: tuple[float, ...], least: float
) -> None:
    """With alpha, it is made from one of three times its size."""
    image = draw_detail(1000, 700).convert("RGB")
    if mode == "RGBA":
        image.putalpha(image.getchannel("G"))
    source = encode(image, "PNG")
    asked = [Rendition(f"r{number}", scale=scale) for number, scale in enumerate(SCALES)]
    together = render_outputs(source, *asked)
    for rendition, output in zip(asked, together, strict=True):
        (alone,) = render_outputs(source, rendition)
        fidelity = measure_fidelity(output, alone)
        assert fidelity > least
        assert (fidelity < EQUAL) == (rendition.scale in from_renditions)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpegs_rendition_beside_a_large_one_looks_as_its_decoder_would_have_shrunk_it(orientation: int) -> None:
    source = encode_oriented(draw_detail(1203, 801).convert("RGB"), orientation, "JPEG", quality=95)
    asked = [Rendition(f"r{scale}".replace(".", "-"), quality=95, scale=scale) for scale in (1, *SCALES, 0.5, 0.3, 0.1)]
    asked.append(Rendition("square", quality=95, width=300, height=300, fit="cover"))
    together = render_outputs(source, *asked)
    for rendition, output in zip(asked, together, strict=True):
        (alone,) = render_outputs(source, rendition)
        assert output.shape == alone.shape
        assert measure_fidelity(output, alone) > 44
