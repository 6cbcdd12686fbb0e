"""The soak of the renderer: it renders what it says, and a leak is found."""

import pytest

from tools.errors import ToolError
from tools.soak import images


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
