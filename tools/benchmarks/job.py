"""What one contestant is asked to do, as the JSON that its worker process reads; imports nothing that costs memory."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wanted:
    """One output of a job.

    Attributes:
        format: In Pillow's name.
        width: In pixels, as displayed.
        height: In pixels, as displayed.
        scale: Of the source's sides, where that is what the rendition asks for.

    """

    format: str
    width: int
    height: int
    scale: float | None = None


@dataclass(frozen=True)
class Job:
    """One source and what is to become of it, the same for every contestant.

    Attributes:
        source: Path of the encoded image.
        directory: Where the outputs of the first run are put, named by their number.
        outputs: At least one.
        quality: Of lossy formats, on their own scales.
        subsampling: Of chroma, such as ``4:2:0``.
        deflate_level: Of a PNG, where the contestant lets it be chosen.
        tiff_compression: ``raw`` or ``lzw``, as the source has it.
        has_palette: Whether a PNG is to keep one.

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
        """Write it where its outputs will be."""
        path = Path(self.directory) / "job.json"
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def load(cls, path: Path) -> "Job":
        """Read what :meth:`save` wrote."""
        fields = json.loads(path.read_text())
        outputs = tuple(Wanted(**wanted) for wanted in fields.pop("outputs"))
        return cls(outputs=outputs, **fields)
