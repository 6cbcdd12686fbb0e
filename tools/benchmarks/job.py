"""The work of one contestant, as JSON for its worker process. Imports nothing that costs memory."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

OURS = "ours"
"""The name of the contestant that all others are compared with."""


@dataclass(frozen=True)
class Wanted:
    """One output.

    Attributes:
        format: Pillow's name.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        scale: Share of the source's sides, if the rendition asks for one.

    """

    format: str
    width: int
    height: int
    scale: float | None = None


@dataclass(frozen=True)
class Job:
    """One source and its outputs, equal for every contestant.

    Attributes:
        source: Path of the encoded image.
        directory: Receives the outputs of the first run, named by their number.
        outputs: At least one.
        quality: For lossy formats, on each format's own scale.
        subsampling: Chroma, such as ``4:2:0``.
        deflate_level: For a PNG, if the contestant has such an option.
        tiff_compression: ``raw`` or ``lzw``, as in the source.
        has_palette: Whether a PNG keeps a palette.

    """

    source: str
    directory: str
    outputs: tuple[Wanted, ...]
    quality: int = 75
    subsampling: str = "4:2:0"
    deflate_level: int = 6
    tiff_compression: str = "raw"
    has_palette: bool = False

    def save(self) -> Path:
        """Write it into its directory."""
        path = Path(self.directory) / "job.json"
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def load(cls, path: Path) -> "Job":
        """Read a file that :meth:`save` wrote."""
        fields = json.loads(path.read_text())
        outputs = tuple(Wanted(**wanted) for wanted in fields.pop("outputs"))
        return cls(outputs=outputs, **fields)
