"""Composes the frames of a GIF or an APNG from its layers, as browsers do."""

import enum
from typing import NamedTuple

from PIL import Image


class Disposal(enum.Enum):
    """What happens to a layer before the next one is drawn."""

    KEEP = enum.auto()
    CLEAR = enum.auto()
    RESTORE = enum.auto()


class Layer(NamedTuple):
    """The part of a frame that a file stores.

    Attributes:
        source: The layer's pixels, as a file of its own.
        left: Position on the canvas in pixels. The layer may exceed the canvas.
        top: Position on the canvas in pixels.
        disposal: What happens to the layer before the next one.
        is_blended: Whether its transparent pixels show the layers below; otherwise it replaces them.
        milliseconds: How long the frame is shown.

    """

    source: bytes
    left: int
    top: int
    disposal: Disposal
    is_blended: bool
    milliseconds: float


class Canvas:
    """The picture that the layers so far show."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._image: Image.Image | None = None
        self._is_grey = self._is_opaque = True

    def show(self, image: Image.Image, layer: Layer) -> Image.Image:
        """Draw ``image`` (L, LA, RGB or RGBA), the decoded source of ``layer``, over the canvas.

        Returns:
            The frame: L or LA while all layers are grey, else RGB or RGBA. Once a frame needs alpha, all later ones
            have it, because resizing treats images with alpha differently.

        """
        self._is_grey = self._is_grey and image.mode in {"L", "LA"}
        box = layer.left, layer.top, layer.left + image.width, layer.top + image.height
        is_opaque = image.mode in {"L", "RGB"} or not layer.is_blended
        if box == (0, 0, *self._size) and (is_opaque or self._image is None):
            shown = self._simplify_mode(image)
        else:
            canvas = Image.new("RGBA", self._size) if self._image is None else self._image.convert("RGBA")
            over = image.convert("RGBA")
            # Beyond its edges, Pillow crops transparent pixels and pastes none.
            canvas.paste(over if is_opaque else Image.alpha_composite(canvas.crop(box), over), box)
            shown = self._simplify_mode(canvas)
        if layer.disposal is Disposal.CLEAR:
            self._image = shown.convert("RGBA")
            self._image.paste((0, 0, 0, 0), box)
        elif layer.disposal is Disposal.KEEP:
            self._image = shown
        return shown

    def _simplify_mode(self, image: Image.Image) -> Image.Image:
        has_alpha = image.mode in {"LA", "RGBA"} and image.getchannel("A").getextrema()[0] != 255
        self._is_opaque = self._is_opaque and not has_alpha
        mode = ("L" if self._is_grey else "RGB") + ("" if self._is_opaque else "A")
        return image if image.mode == mode else image.convert(mode)
