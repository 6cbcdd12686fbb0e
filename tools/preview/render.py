"""Render a photo with the function's code, with the current settings and in every variant, and measure the cost."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from aws.settings import Settings
from errors import RejectedError
from imaging.render import Rendered, render
from renditions import Rendition
from tools.preview import model, rejections
from tools.preview.model import Cost, Output, Photo, Rejection
from tools.preview.original import Original
from tools.preview.price import measure_cpu, price
from tools.preview.similarity import compare
from tools.preview.variants import Comparison, changed_options


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
        made, measure = _render(body, settings.renditions, settings)
        original = Original.load(name, body, settings.renditions)
    except RejectedError as rejection:
        return None, [describe_rejection(name, body, rejection)]
    described, rejected = [], []
    for rendition in settings.renditions:
        of_rendition, refused = _render_variants(original, rendition, comparison, settings)
        described.append(of_rendition)
        rejected += refused
    cost = measure() if len(described) > 1 else described[0].outputs[0].cost
    photo = original.describe_photo(described, cost)
    if made.placeholder:
        shown = [f"ThumbHash {made.placeholder.thumbhash}", f"dominant colour {made.placeholder.dominant_colour}"]
        photo = replace(photo, properties=[*photo.properties, *shown])
    return photo, rejected


def _render_variants(
    original: Original, rendition: Rendition, comparison: Comparison, settings: Settings
) -> tuple[model.Rendered, list[Rejection]]:
    """Render one rendition in every variant. Variants with equal bytes are measured once."""
    outputs: list[Output] = []
    same: dict[str, str] = {}
    rejected = []
    first: dict[bytes, str] = {}
    variants = comparison.variants(rendition)
    for variant, other in variants.items():
        try:
            rendered, measure = _render(original.body, [other], settings)
        except RejectedError as rejection:
            rejected.append(
                describe_rejection(f"{original.name}: {rendition.name}, {variant}", original.body, rejection)
            )
            continue
        equal = first.setdefault(rendered.outputs[0].body, variant)
        if equal == variant:
            outputs.append(original.describe_output(variant, other, rendered, measure(), compare))
        else:
            same[variant] = equal
    options = {variant: changed_options(rendition, other) for variant, other in variants.items()}
    return model.Rendered(rendition.name, original.scale_for_page(rendition), outputs, options, same), rejected


def describe_rejection(name: str, body: bytes, rejection: RejectedError) -> Rejection:
    """Describe a rejection with its advice."""
    advice = rejections.find_advice(rejection.reason, rejection.message)
    return Rejection(name, len(body), rejection.reason, rejection.message, advice)


def _render(body: bytes, renditions: Sequence[Rendition], settings: Settings) -> tuple[Rendered, Callable[[], Cost]]:
    """Render as the function does at the start of an invocation; also return a function that measures the cost."""
    settings.limits.check_source(len(body))
    work = partial(
        render,
        body,
        renditions,
        limits=settings.limits,
        metadata=settings.metadata,
        has_placeholder=settings.placeholders,
        seconds_left=lambda: float(settings.timeout_seconds),
    )
    made = work()
    moved = len(body) + sum(len(output.body) for output in made.outputs)
    return made, lambda: price(measure_cpu(work), settings, moved=moved, outputs=len(renditions))
