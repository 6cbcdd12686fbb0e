"""Makes of a photo what the function would, once as it is set and once in each variant, and measures it."""

from collections.abc import Iterator, Sequence
from functools import partial

from aws.settings import Settings
from errors import RejectedError
from imaging import budget
from imaging import render as renderer
from imaging.render import render
from renditions import Rendition
from tools.imaging.likeness import compare
from tools.preview import rejections
from tools.preview.contents import Cost, Photo, Refused
from tools.preview.cost import cost, timed
from tools.preview.original import Original
from tools.preview.variants import AS_SET, Comparison


def make(name: str, body: bytes, settings: Settings, comparison: Comparison) -> tuple[Photo | None, list[Refused]]:
    """Make all that is asked for of one file, and tell of what cannot be made.

    Args:
        name: What it is called.
        body: The file.
        settings: What would be deployed.
        comparison: What else is tried.

    """
    try:
        together, price = _timed(body, settings.renditions, settings)
        original = Original.of(name, body, settings.renditions)
    except RejectedError as rejection:
        return None, [refused(name, body, rejection)]
    found, refusals = [], []
    for rendition, as_set in zip(settings.renditions, together.outputs, strict=True):
        is_alone = len(settings.renditions) == 1
        of_this = price if is_alone else _alone(body, rendition, settings)
        outputs = [original.output(AS_SET, rendition, as_set, of_this, compare)]
        for variant, made in _variants(body, rendition, settings, comparison):
            if isinstance(made, RejectedError):
                refusals.append(refused(f"{name}: {rendition.name}, {variant}", body, made))
            else:
                outputs.append(original.output(variant, *made, compare))
        found.append(original.rendered(rendition, outputs))
    return original.photo(found, price, lost=together.lost), refusals


def refused(name: str, body: bytes, rejection: RejectedError) -> Refused:
    """Describe why there is nothing, with what to do."""
    what_to_do = rejections.advice(rejection.reason, rejection.message)
    return Refused(name, len(body), rejection.reason, rejection.message, what_to_do)


def _variants(
    body: bytes, rendition: Rendition, settings: Settings, comparison: Comparison
) -> Iterator[tuple[str, tuple[Rendition, renderer.Output, Cost] | RejectedError]]:
    for variant, other in comparison.variants(rendition).items():
        if variant == AS_SET:
            continue
        try:
            made, price = _timed(body, [other], settings)
        except RejectedError as rejection:
            yield variant, rejection
        else:
            yield variant, (other, made.outputs[0], price)


def _alone(body: bytes, rendition: Rendition, settings: Settings) -> Cost:
    """What one rendition would take if it were the only one."""
    return _timed(body, [rendition], settings)[1]


def _timed(body: bytes, renditions: Sequence[Rendition], settings: Settings) -> tuple[renderer.Rendered, Cost]:
    """Render as the function does an object that has all of an invocation's time."""
    budget.check_download(len(body), settings.limits)
    work = partial(
        render,
        body,
        renditions,
        limits=settings.limits,
        metadata=settings.metadata,
        seconds_left=lambda: float(settings.timeout_seconds),
    )
    made, seconds = timed(work)
    moved = len(body) + sum(len(output.body) for output in made.outputs)
    return made, cost(seconds, settings, moved=moved, outputs=len(renditions))
