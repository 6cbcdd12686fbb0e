"""The table of what a million 12 MP JPEGs cost, by memory size and processor, from the CPU that they took here."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imaging.budget import MIB, ONE_PROCESSOR_BYTES, Demand
from imaging.decode import Picture
from renditions import Rendition
from tools.benchmarks.results import OURS, RowResult
from tools.common.pricing import (
    GIB_SECOND,
    NETWORK_BYTES_PER_SECOND,
    OUR_GETS,
    PRICES_AS_KNOWN_ON,
    REGION,
    REQUEST_SECONDS,
    SLOWNESS,
    Workload,
)
from tools.common.table import Table

ROW = "jpeg-12mp"
"""The row whose CPU is priced."""

SIZES_MIB = (256, 512, 1024, 1769, 3008)

COMMON_MIB = 1769
"""From which on 48 MP, which phones take, fit in every common format; docs/images.md has the table."""

SANE_SECONDS = 1.0
"""That one image may take."""

MILLION = 1e6


def workloads(rows: Sequence[RowResult], sources: Mapping[str, Path]) -> tuple[Workload, ...]:
    """Ours and the classic handler's of the row that is priced, each where it was measured."""
    return tuple(one for row in rows if row.name == ROW for one in _workloads(row, sources[ROW].read_bytes()))


def _workloads(row: RowResult, source: bytes) -> Iterator[Workload]:
    picture = Picture(source)
    picture.shrink_on_load(2)
    demand = Demand.of(picture, [Rendition("resized", scale=0.5)], [picture.format])
    for name, gets in ((OURS, OUR_GETS), ("classic", 1)):
        one = row.measured.get(name)
        if one is not None:
            needed = demand.peak_bytes if name == OURS else row.source_bytes + one.peak_bytes
            yield Workload(name, one.median, gets, 1, row.source_bytes + one.bytes, needed)


def recommended(workload: Workload) -> int:
    """The cheapest of the sizes with which the common formats fit, and one image takes no longer than is sane."""
    sane = [size for size in SIZES_MIB if size >= COMMON_MIB and workload.seconds(size) <= SANE_SECONDS]
    return min(sane or SIZES_MIB[-1:], key=lambda size: (workload.dollars(size, "arm64"), size))


def tables(priced: Sequence[Workload]) -> list[Table]:
    """The table, or none where nothing was measured that could be priced."""
    if not priced:
        return []
    sizes = sorted({*SIZES_MIB, *(one.least_mib for one in priced)})
    columns = [f"{one.name}, {architecture}" for architecture in GIB_SECOND for one in priced]
    columns += [f"{one.name}, ms" for one in priced]
    rows = [(str(size), _remarks(priced, size), *_cells(priced, size)) for size in sizes]
    heading = "US$ per million JPEGs of 12 MP, at half size"
    return [Table(heading, ("memory_size", "remarks", *columns), tuple(rows), words=2, note=_note(priced))]


def _cells(priced: Sequence[Workload], size: int) -> list[str]:
    dollars = [
        f"{MILLION * one.dollars(size, architecture):.2f}" if size >= one.least_mib else "-"
        for architecture in GIB_SECOND
        for one in priced
    ]
    return dollars + [f"{1000 * one.seconds(size):.0f}" if size >= one.least_mib else "-" for one in priced]


def _remarks(priced: Sequence[Workload], size: int) -> str:
    remarks = [f"the least for {one.name}" for one in priced if one.least_mib == size]
    if any(one.name == OURS and recommended(one) == size for one in priced):
        remarks.append("recommended")
    return ", ".join(remarks)


def _note(priced: Sequence[Workload]) -> str:
    text = (
        f"List prices of {REGION} as known on {PRICES_AS_KNOWN_ON}, with the requests to S3. Taken as given: Lambda's "
        f"processors, of both kinds, take {SLOWNESS:g} times the CPU of the one measured on; S3 answers within "
        f"{1000 * REQUEST_SECONDS:g} ms and moves {NETWORK_BYTES_PER_SECOND / 1e6:g} MB a second. Below "
        f"{ONE_PROCESSOR_BYTES // MIB} MiB there is that much less of a processor, and CPU costs the same; what less "
        "memory saves is the waiting for the network. The least for ours is what the budget allows, for the classic "
        "handler what it was seen to take. The first start of an environment is not in it."
    )
    ours = [one for one in priced if one.name == OURS]
    if ours:
        size = recommended(ours[0])
        text += (
            f" Recommended: {size} MiB, the cheapest of these sizes with which 48 MP of every common format fit and an "
            f"image takes no more than {SANE_SECONDS:g} s."
        )
    return text
