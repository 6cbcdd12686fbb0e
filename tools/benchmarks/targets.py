"""The kinds of target: each compares ours to a peer, to the source or to a fixed bound."""

from collections.abc import Callable

from tools.benchmarks.results import OURS, Measured, RowResult, Target

Figure = Callable[[RowResult], float | None]


def cpu(peer: str, bound: float) -> Target:
    """CPU seconds by the peer's."""

    def figure(row: RowResult) -> float | None:
        ratio = row.ratio(peer)
        return ratio.median if ratio else None

    return Target(f"CPU / {peer}", figure, bound)


def memory(peer: str, bound: float) -> Target:
    """Peak memory by the peer's."""
    return Target(f"memory / {peer}", _both(peer, lambda ours, other: ours.peak_bytes / other.peak_bytes), bound)


def size(peer: str, bound: float) -> Target:
    """Bytes of the outputs by the peer's."""
    return Target(f"bytes / {peer}", _both(peer, lambda ours, other: ours.bytes / other.bytes), bound)


def size_of_source(bound: float) -> Target:
    """Bytes of the outputs by the source's."""

    def figure(row: RowResult) -> float | None:
        ours = row.measured.get(OURS)
        return ours.bytes / row.source_bytes if ours else None

    return Target("bytes / source", figure, bound)


def psnr(bound: float) -> Target:
    """Decibels."""

    def figure(row: RowResult) -> float | None:
        ours = row.measured.get(OURS)
        return ours.quality.psnr if ours else None

    return Target("PSNR, dB", figure, bound, is_ceiling=False)


def psnr_below(peer: str, bound: float) -> Target:
    """Decibels below the peer's."""
    figure = _both(peer, lambda ours, other: _lost(ours.quality.psnr, other.quality.psnr))
    return Target(f"PSNR below {peer}, dB", figure, bound)


def ssim_below(peer: str, bound: float) -> Target:
    """SSIM below the peer's."""
    figure = _both(peer, lambda ours, other: _lost(ours.quality.ssim, other.quality.ssim))
    return Target(f"SSIM below {peer}", figure, bound)


def _lost(ours: float | None, other: float | None) -> float | None:
    return None if ours is None or other is None else other - ours


def _both(peer: str, compare: Callable[[Measured, Measured], float | None]) -> Figure:
    def figure(row: RowResult) -> float | None:
        ours, other = row.measured.get(OURS), row.measured.get(peer)
        return None if ours is None or other is None else compare(ours, other)

    return figure
