"""Composes the frames of a GIF or an APNG as browsers do: layer over layer, each disposed of as it says."""

import enum
from dataclasses import dataclass

from PIL import Image


class Disposal(enum.Enum):
    """What becomes of a layer before the next one is laid."""

    KEEP = enum.auto()
    CLEAR = enum.auto()
    RESTORE = enum.auto()


@dataclass(frozen=True)
class Layer:
    """What a file stores of one frame.

    Attributes:
        source: Its pixels, as a file of their own.
        left: Where it lies on the canvas, in pixels; it may reach over the edge.
        top: Likewise.
        disposal: What becomes of it.
        is_blended: Whether what lies below shines through it; else it replaces that.
        milliseconds: How long the frame is shown.

    """

    source: bytes
    left: int
    top: int
    disposal: Disposal
    is_blended: bool
    milliseconds: float


class Canvas:
    """What is shown of a file's layers so far."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._image: Image.Image | None = None
        self._is_grey = self._is_opaque = True

    def show(self, image: Image.Image, layer: Layer) -> Image.Image:
        """Lay ``image`` (L, LA, RGB or RGBA), the pixels of ``layer``, over what is there.

        Returns:
            The frame, in one of these modes: in grey if all layers are, and with alpha as soon as one frame needs it,
            for what is resized with alpha is resized otherwise.

        """
        self._is_grey = self._is_grey and image.mode in {"L", "LA"}
        box = layer.left, layer.top, layer.left + image.width, layer.top + image.height
        is_opaque = image.mode in {"L", "RGB"} or not layer.is_blended
        if box == (0, 0, *self._size) and (is_opaque or self._image is None):
            shown = self._flattened(image)
        else:
            laid = Image.new("RGBA", self._size) if self._image is None else self._image.convert("RGBA")
            over = image.convert("RGBA")
            # Over its edge a canvas is transparent, and pasted there is nothing.
            laid.paste(over if is_opaque else Image.alpha_composite(laid.crop(box), over), box)
            shown = self._flattened(laid)
        if layer.disposal is Disposal.CLEAR:
            self._image = shown.convert("RGBA")
            self._image.paste((0, 0, 0, 0), box)
        elif layer.disposal is Disposal.KEEP:
            self._image = shown
        return shown

    def _flattened(self, image: Image.Image) -> Image.Image:
        has_alpha = image.mode in {"LA", "RGBA"} and image.getchannel("A").getextrema()[0] != 255
        self._is_opaque = self._is_opaque and not has_alpha
        mode = ("L" if self._is_grey else "RGB") + ("" if self._is_opaque else "A")
        return image if image.mode == mode else image.convert(mode)
