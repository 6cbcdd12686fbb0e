"""The soaks of the renderer and of the audit: they do what they say, and a leak is found."""

from dataclasses import replace

import pytest

from tests.soak import audit, images
from tools.common.errors import ToolError
from tools.operations.audit import Audit


def test_most_images_are_written_and_none_raises() -> None:
    lines: list[str] = []
    progress = images.mixed_images(40, 1, lines.append)
    assert sum(progress.outcomes.values()) == 40
    assert progress.outcomes["written"] > 30


def test_a_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked: list[bytes] = []
    # Much for a process that has run other tests already.
    much = images._resident_bytes() // 10240
    monkeypatch.setattr(images, "render", lambda *_, **__: leaked.append(bytes(range(256)) * much))
    monkeypatch.setattr(images, "WARM_UP", 20)
    with pytest.raises(ToolError, match=r"^Memory in use grew to .* times"):
        images.mixed_images(60, 1, lambda _: None)


def test_an_audit_names_what_is_wrong_and_keeps_nothing_of_what_is_right() -> None:
    # With a small cache, 200,000 are far more than it holds.
    assert audit.audited(200_000, cache_kib=4096).wrong == 60


def test_an_audit_that_keeps_something_of_each_upload_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    few = audit.Audited(audit.FEW, 3, 1, peak=48 << 20)
    peaks = iter([few.peak, 81 << 20])
    monkeypatch.setattr(audit, "_in_a_process", lambda *_: replace(few, peak=next(peaks)))
    with pytest.raises(ToolError, match=r"^An audit of 200,000 took 81 MiB of memory, of 10,000 48 MiB: "):
        audit.audited(200_000, cache_kib=4096)


def test_an_audit_that_names_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Audit, "_is_orphan", lambda *_: False)
    with pytest.raises(ToolError, match=r"^The audit found \(None, 'nothing'\), and wrong is users/000007/.*orphaned$"):
        audit.compare(10_000)
