"""The soak: it renders what it says, and a leak is found."""

import pytest

from tools import soak
from tools.errors import ToolError


def test_most_images_are_written_and_none_raises() -> None:
    lines: list[str] = []
    progress = soak.soak(40, 1, lines.append)
    assert sum(progress.outcomes.values()) == 40
    assert progress.outcomes["written"] > 30


def test_a_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    leaked: list[bytes] = []
    # Much for a process that has run other tests already.
    much = soak._resident_bytes() // 10240
    monkeypatch.setattr(soak, "render", lambda *_, **__: leaked.append(bytes(range(256)) * much))
    monkeypatch.setattr(soak, "WARM_UP", 20)
    with pytest.raises(ToolError, match=r"^Memory in use grew to .* times"):
        soak.soak(60, 1, lambda _: None)
