"""Render a photo with the function's code, with the current settings and in every variant, and measure the cost."""

from collections.abc import Sequence
from functools import partial

from aws.settings import Settings
from errors import RejectedError
from imaging.render import Rendered, render
from renditions import Rendition
from tools.preview import rejections
from tools.preview.model import Cost, Photo, Rejection
from tools.preview.original import Original
from tools.preview.price import measure_cpu, price
from tools.preview.similarity import compare
from tools.preview.variants import CURRENT, Comparison


def render_photo(
    name: str, body: bytes, settings: Settings, comparison: Comparison
) -> tuple[Photo | None, list[Rejection]]:
    """Render one file, and return it with the rejections of the file or of its variants.

    Args:
        name: For the page.
        body: The file.
        settings: For deployment.
        comparison: The variants.

    """
    try:
        together, cost = _render(body, settings.renditions, settings)
        original = Original.load(name, body, settings.renditions)
    except RejectedError as rejection:
        return None, [describe_rejection(name, body, rejection)]
    described, rejected = [], []
    for rendition, current in zip(settings.renditions, together.outputs, strict=True):
        alone = cost if len(settings.renditions) == 1 else _render(body, [rendition], settings)[1]
        outputs = [original.describe_output(CURRENT, rendition, current, alone, compare)]
        for variant, other in comparison.variants(rendition).items():
            if variant == CURRENT:
                continue
            try:
                rendered, of_variant = _render(body, [other], settings)
            except RejectedError as rejection:
                rejected.append(describe_rejection(f"{name}: {rendition.name}, {variant}", body, rejection))
            else:
                outputs.append(original.describe_output(variant, other, rendered.outputs[0], of_variant, compare))
        described.append(original.describe_rendition(rendition, outputs))
    return original.describe_photo(described, cost, lost=together.lost), rejected


def describe_rejection(name: str, body: bytes, rejection: RejectedError) -> Rejection:
    """Describe a rejection with its advice."""
    advice = rejections.find_advice(rejection.reason, rejection.message)
    return Rejection(name, len(body), rejection.reason, rejection.message, advice)


def _render(body: bytes, renditions: Sequence[Rendition], settings: Settings) -> tuple[Rendered, Cost]:
    """Render as the function does at the start of an invocation, and measure the cost."""
    settings.limits.check_source(len(body))
    work = partial(
        render,
        body,
        renditions,
        limits=settings.limits,
        metadata=settings.metadata,
        seconds_left=lambda: float(settings.timeout_seconds),
    )
    made, seconds = measure_cpu(work)
    moved = len(body) + sum(len(output.body) for output in made.outputs)
    return made, price(seconds, settings, moved=moved, outputs=len(renditions))
