"""Describes a source file and its outputs for a page. It needs no NumPy, so the demo runs without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imaging import encode
from imaging.decode import Frame
from imaging.decode import Picture as Decoded
from imaging.encode import written_format
from imaging.render import Output as Made
from renditions import Rendition
from tools.imaging.scaled import BROWSERS_SHOW, Picture, as_png, decoded, displayable, scaled, stand_in
from tools.preview.contents import Cost, Output, Photo, Rendered
from tools.preview.variants import format_name

if TYPE_CHECKING:
    from tools.imaging.likeness import Likeness

Compare = Callable[[Sequence[Frame], Sequence[Frame]], "Likeness"]
"""Compares the scaled source's frames to an output's."""

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

    def output(
        self, variant: str, rendition: Rendition, made: Made, price: Cost | None, compare: Compare | None = None
    ) -> Output:
        """Describe one output; ``compare`` measures how similar it is to the scaled source."""
        written = written_format(self.picture, rendition)
        shown = decoded(made.body, rendition)
        frames = self.scaled[rendition.name]
        if frames[0].image.size != (made.width, made.height):
            # This format holds fewer pixels on a side than the one that is set.
            (frames,) = scaled(self.body, [rendition]).frames
        source = displayable(self.picture, frames, written, rendition)
        likeness = compare(source, shown) if compare else None
        as_is = Picture(made.body, made.content_type, made.width, made.height)
        return Output(
            name=variant,
            key=rendition.output_key(self.name),
            format=format_name(written),
            quality=self._quality(written, rendition),
            byte_count=len(made.body),
            picture=as_is if written in BROWSERS_SHOW else as_png(shown, written),
            ssim=likeness.ssim if likeness else None,
            psnr=likeness.psnr if likeness else None,
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
