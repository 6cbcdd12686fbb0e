"""Makes of a photo what the function would, once as it is set and once in each variant, and measures it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aws.settings import Settings
from errors import RejectedError
from imaging import budget, encode
from imaging import render as renderer
from imaging.decode import Frame
from imaging.decode import Picture as Decoded
from imaging.encode import written_format
from imaging.render import render
from renditions import Rendition
from tools.imaging import likeness
from tools.imaging.scaled import BROWSERS_SHOW, Picture, as_png, decoded, displayable, scaled, stand_in
from tools.preview import rejections
from tools.preview.contents import Cost, Output, Photo, Refused, Rendered
from tools.preview.cost import cost, timed
from tools.preview.variants import AS_SET, Comparison, format_name

WITH_QUALITY = frozenset({"JPEG", "WEBP", "AVIF"})


@dataclass(frozen=True)
class Original:
    """A source file, and how it looks at the size of each rendition.

    Attributes:
        name: What it is called, or its key.
        picture: Its header.
        scaled: All frames, by the name of the rendition.

    """

    name: str
    body: bytes
    picture: Decoded
    displayed_size: tuple[int, int]
    scaled: dict[str, list[Frame]]

    @classmethod
    def of(cls, name: str, body: bytes, renditions: Sequence[Rendition]) -> "Original":
        """Decode a file.

        Raises:
            RejectedError: It does not decode.

        """
        found = scaled(body, renditions)
        names = [rendition.name for rendition in renditions]
        return cls(name, body, Decoded(body), found.displayed_size, dict(zip(names, found.frames, strict=True)))

    def output(self, variant: str, rendition: Rendition, made: renderer.Output, price: Cost | None) -> Output:
        """Describe what was made of it, beside what it looks like itself."""
        written = written_format(self.picture, rendition)
        shown = decoded(made.body, rendition)
        frames = self.scaled[rendition.name]
        if frames[0].image.size != (made.width, made.height):
            # This format holds fewer pixels on a side than the one that is set.
            (frames,) = scaled(self.body, [rendition]).frames
        source = displayable(self.picture, frames, written, rendition)
        alike = likeness.compare(source, shown)
        as_is = Picture(made.body, made.content_type, made.width, made.height)
        return Output(
            name=variant,
            key=rendition.output_key(self.name),
            format=format_name(written),
            quality=self._quality(written, rendition),
            byte_count=len(made.body),
            picture=as_is if written in BROWSERS_SHOW else as_png(shown, written),
            ssim=alike.ssim,
            psnr=alike.psnr,
            cost=price,
        )

    def rendered(self, rendition: Rendition, outputs: Sequence[Output]) -> Rendered:
        """Put the outputs of a rendition beside it."""
        written = written_format(self.picture, rendition)
        source = displayable(self.picture, self.scaled[rendition.name], written, rendition)
        return Rendered(rendition.name, stand_in(source if self.picture.is_animated else source[:1]), outputs)

    def photo(self, renditions: Sequence[Rendered], price: Cost | None, **details: Any) -> Photo:
        """Describe all that became of it."""
        width, height = self.displayed_size
        image_format = format_name(self.picture.source_format)
        return Photo(self.name, image_format, width, height, len(self.body), renditions, price, **details)

    def _quality(self, written: str, rendition: Rendition) -> str:
        if written == "WEBP" and self.picture.is_lossless_webp:
            return "lossless"
        if written not in WITH_QUALITY:
            return ""
        return str(encode.Job(self.picture, self.scaled[rendition.name], written, rendition, {}).quality)


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
        outputs = [original.output(AS_SET, rendition, as_set, price if is_alone else _alone(body, rendition, settings))]
        for variant, made in _variants(body, rendition, settings, comparison):
            if isinstance(made, RejectedError):
                refusals.append(refused(f"{name}: {rendition.name}, {variant}", body, made))
            else:
                outputs.append(original.output(variant, *made))
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
