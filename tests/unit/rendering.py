"""Calls of ``render`` with one rendition and the function's default memory."""

from typing import Any

import pytest
from PIL import Image

from errors import RejectedError
from imaging.limits import Limits
from imaging.render import Rendered, render
from renditions import MetadataPolicy, Rendition
from tests.images import load

LIMITS = Limits(1769 << 20)


def render_one(
    source: bytes, to: str | None = None, *, metadata: MetadataPolicy = MetadataPolicy.COPYRIGHT, **options: Any
) -> Rendered:
    """Render ``source`` into the format ``to``, at half its size unless the options set another size."""
    size: dict[str, Any] = {} if options.keys() & {"scale", "width", "height"} else {"scale": 0.5}
    return render(source, [Rendition("r", format=to, **size, **options)], limits=LIMITS, metadata=metadata)


def output_body(source: bytes, to: str | None = None, **options: Any) -> bytes:
    return render_one(source, to, **options).outputs[0].body


def output_image(source: bytes, to: str | None = None, **options: Any) -> Image.Image:
    return load(output_body(source, to, **options))


def rejection(source: bytes, **options: Any) -> RejectedError:
    """Return the error with which ``render_one`` rejects ``source``."""
    with pytest.raises(RejectedError) as caught:
        render_one(source, **options)
    return caught.value
