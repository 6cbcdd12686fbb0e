"""The tables of a cold start: what it takes against a plain handler's, its imports, and the zips."""

import statistics

from tools.benchmarks.results import OURS, PLAIN, Cold, Target
from tools.common.table import Table

MOST_OF_PLAIN = 0.85
MOST_BYTES = 8_000_000

SHOWN = 25
"""Imports."""


def tables(cold: Cold) -> list[Table]:
    """All of them, the most important first."""
    return [_starts(cold), _imports(cold), _zips(cold)]


def _starts(cold: Cold) -> Table:
    rows = []
    for name, cpu in cold.cpu.items():
        ratio = cold.ratio(name)
        milliseconds = (f"{1000 * seconds:.0f}" for seconds in (statistics.median(cpu), min(cpu), max(cpu)))
        shown = "1" if name == PLAIN else f"{ratio.median:.2f} ({ratio.lowest:.2f}-{ratio.highest:.2f})"
        rows.append((name, *milliseconds, shown))
    ours = cold.ratio(OURS).median
    note = (
        'The CPU of the import of the handler by AWS\'s runtime client; plain is `import boto3; boto3.client("s3"); '
        "from PIL import Image`, with Pillow as its wheel has it, without .pyc. The ratio is to be at most "
        f"{MOST_OF_PLAIN}: {_verdict(ours, MOST_OF_PLAIN)}. Ours loads Pillow's plugins for "
        f"{', '.join(cold.plugins)}; of other packages, what plain does not load: {', '.join(cold.beyond) or 'none'}; "
        f"what plain loads and ours does not: {', '.join(cold.spared) or 'none'}."
    )
    columns = ("who", "CPU, ms", "lowest", "highest", f"/ {PLAIN}")
    return Table("Cold start", columns, tuple(rows), note=note)


def _imports(cold: Cold) -> Table:
    rows = [(one.name, f"{1000 * one.own:.1f}", f"{1000 * one.total:.1f}") for one in cold.imports[:SHOWN]]
    note = (
        "By `python -X importtime`, which itself takes time: medians; the costliest with what they import. What "
        "`lambda_function` takes by itself is nearly all the client of S3."
    )
    return Table("Imports of a cold start", ("module", "by itself, ms", "in all, ms"), tuple(rows), note=note)


def _zips(cold: Cold) -> Table:
    rows = [
        (one.target, "with" if one.has_byte_code else "without", _verdict(one.size, MOST_BYTES), f"{one.size:,}")
        for one in cold.zips
    ]
    note = f"At most {MOST_BYTES:,} bytes. Byte code takes a Python of the target's version where it is built."
    return Table("The zip", ("target", ".pyc", "verdict", "bytes"), tuple(rows), words=3, note=note)


def _verdict(figure: float, bound: float) -> str:
    return Target("", lambda _: figure, bound).verdict(figure)
