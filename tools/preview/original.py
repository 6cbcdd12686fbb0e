"""Describe a source file and its outputs for a page. This needs no NumPy, so the demo runs without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imaging.decode import Picture as Decoded
from imaging.encode import written_format
from imaging.formats import ENCODERS
from imaging.records import Frame, Job
from imaging.render import Rendered as Made
from imaging.saving import choose_quality
from renditions import Focus, Rendition
from tools.preview.display import (
    BROWSERS_SHOW,
    Picture,
    decode_output,
    encode_source,
    encode_stand_in,
    scale_source,
    to_displayable,
)
from tools.preview.model import SEARCHED, Cost, Output, Photo, Rendered, Step
from tools.preview.properties import list_properties
from tools.preview.variants import format_name

if TYPE_CHECKING:
    from tools.preview.similarity import Similarity

Compare = Callable[[Sequence[Frame], Sequence[Frame]], "Similarity"]
"""Compares the frames of the scaled source with those of an output."""


@dataclass(frozen=True)
class Original:
    """A source file, also scaled to the size of each rendition.

    Attributes:
        name: File name or key.
        picture: The file, whose frames have been read.
        scaled: All frames, by rendition.

    """

    name: str
    body: bytes
    picture: Decoded
    displayed_size: tuple[int, int]
    scaled: dict[str, list[Frame]]

    @classmethod
    def load(cls, name: str, body: bytes, renditions: Sequence[Rendition]) -> "Original":
        """Decode a file.

        Raises:
            RejectedError: The file does not decode.

        """
        picture, displayed_size, frames = scale_source(body, renditions)
        names = [rendition.name for rendition in renditions]
        return cls(name, body, picture, displayed_size, dict(zip(names, frames, strict=True)))

    def describe_output(
        self, variant: str, rendition: Rendition, made: Made, cost: Cost | None = None, compare: Compare | None = None
    ) -> Output:
        """Describe the only output of ``made``; ``compare`` measures its similarity to the scaled source."""
        (output,) = made.outputs
        written = written_format(self.picture, rendition)
        decoded, stored = decode_output(output.body)
        shown = to_displayable(decoded, stored, decoded.format, rendition)
        frames = self.scaled[rendition.name]
        is_smaller = frames[0].image.size != rendition.place(self.displayed_size, ENCODERS[written].largest_side).size
        if is_smaller or rendition.focus != Focus.CENTER:
            # The variant's format allows fewer pixels on a side than the current setting's. The decoder may have shrunk
            # the image in which the function looked for detail.
            _, _, (frames,) = scale_source(self.body, [rendition], output.focus)
        similarity = None
        if compare:
            similarity = compare(to_displayable(self.picture, frames, written, rendition), shown)
        as_is = Picture(output.body, output.content_type, output.width, output.height)
        return Output(
            name=variant,
            key=rendition.output_key(self.name),
            format=format_name(written),
            quality=self._describe_quality(written, rendition),
            byte_count=len(output.body),
            picture=as_is if written in BROWSERS_SHOW else encode_stand_in(output.body, shown, written),
            score=similarity.score if similarity else None,
            psnr=similarity.psnr if similarity else None,
            cost=cost,
            properties=list_properties(decoded, stored),
            losses=list(dict.fromkeys(loss.why for loss in output.lost)),
        )

    def scale_for_page(self, rendition: Rendition) -> Picture:
        """Return the source at the rendition's size."""
        source = to_displayable(
            self.picture, self.scaled[rendition.name], written_format(self.picture, rendition), rendition
        )
        return encode_source(source if self.picture.is_animated else source[:1])

    def describe_photo(self, renditions: Sequence[Rendered], cost: Cost | None, steps: Sequence[Step] = ()) -> Photo:
        """Describe the file with all renditions."""
        width, height = self.displayed_size
        image_format = format_name(self.picture.header.format.name)
        # All renditions have the same frames.
        properties = list_properties(self.picture, next(iter(self.scaled.values())))
        return Photo(self.name, image_format, width, height, len(self.body), renditions, cost, steps, properties)

    def _describe_quality(self, written: str, rendition: Rendition) -> str:
        if written == self.picture.format == "WEBP" and not self.picture.header.is_lossy:
            return "lossless"
        frames = self.scaled[rendition.name]
        if rendition.ssimulacra2 is not None and ENCODERS[written].is_lossy:
            return f"{SEARCHED} {rendition.ssimulacra2:g}"
        if written == "TIFF":
            # Pages of JPEGs have a quality each.
            return "" if any(frame.quantization for frame in frames) else "lossless"
        usual = ENCODERS[written].quality
        return str(choose_quality(Job(self.picture, frames, written, rendition, {}, usual, 0, []))) if usual else ""
