"""`invoke logs`: each line once, also one that arrives late, without its control characters."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.conftest import LOG_GROUP
from tools.operations.console import Console
from tools.operations.deployment import Deployment
from tools.operations.logs import LATE_MILLISECONDS, show_log
from tools.operations.session import Session


class Log:
    """The function's log group.

    Attributes:
        now: The time, in milliseconds.

    """

    def __init__(self, deployment: Deployment) -> None:
        self.now = int(datetime.now(UTC).timestamp() * 1000)
        self._client = deployment.client("logs", None)
        self._client.create_log_group(logGroupName=LOG_GROUP)

    def write(self, stream: str, message: str, at: int) -> None:
        """Write a line; ``at`` is its time in milliseconds from now."""
        where: Any = {"logGroupName": LOG_GROUP, "logStreamName": stream}
        if not self._client.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=stream)["logStreams"]:
            self._client.create_log_stream(**where)
        self._client.put_log_events(**where, logEvents=[{"timestamp": self.now + at, "message": message}])


@pytest.fixture
def log(deployment: Deployment) -> Log:
    return Log(deployment)


def test_the_log_since_a_time_is_shown_oldest_first(
    deployment: Deployment, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    for stream, message, at in (
        ("a", "old", -9_000_000),
        ("b", "third", -1_000_000),
        ("a", "second\x1b[2J\tx", -2_000_000),
    ):
        log.write(stream, message, at)
    show_log(Session(deployment, Console(as_json=False)), 3_600, follow=False)
    assert capsys.readouterr().out == "second\\x1b[2J      x\nthird\n"
    show_log(Session(deployment, Console(as_json=True)), 1_500, follow=False)
    (line,) = capsys.readouterr().out.splitlines()
    when = datetime.fromtimestamp((log.now - 1_000_000) / 1000, UTC).isoformat(timespec="milliseconds")
    assert json.loads(line) == {"timestamp": when, "stream": "b", "message": "third"}


def test_an_empty_log_says_how_to_look_further_back(
    deployment: Deployment, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write("a", "old", -9_000_000)
    show_log(Session(deployment, Console(as_json=True)), 3_600, follow=False)
    assert capsys.readouterr().out == ""
    show_log(Session(deployment, Console(as_json=False)), 3_600, follow=False)
    said = capsys.readouterr()
    assert (said.out, "--since looks further back" in said.err) == ("", True)


def test_new_lines_are_followed_each_once_though_they_arrive_late(
    deployment: Deployment, log: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write("a", "first", -1_000)
    late = 1 - LATE_MILLISECONDS
    arrivals = [("b", "late", late), ("a", "later", 5_000), ("b", "late again", late + 5_000)]

    def wait(_: float) -> None:
        if not arrivals:
            raise KeyboardInterrupt
        log.write(*arrivals.pop(0))

    monkeypatch.setattr("tools.operations.logs.time.sleep", wait)
    with pytest.raises(KeyboardInterrupt):
        show_log(Session(deployment, Console(as_json=False)), 3_600, follow=True)
    assert capsys.readouterr().out.splitlines() == ["first", "late", "later", "late again"]


def test_following_does_not_read_everything_again(
    deployment: Deployment, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write("a", "long ago", -1_000_000)
    log.write("a", "now", 0)
    starts: list[int] = []

    def client(*_: object) -> Any:
        made = deployment.client("logs", None)
        made.meta.events.register(
            "provide-client-params.logs.FilterLogEvents", lambda params, **_: starts.append(params["startTime"])
        )
        return made

    def wait(_: float) -> None:
        if len(starts) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("tools.operations.logs.time.sleep", wait)
    with pytest.raises(KeyboardInterrupt):
        show_log(Session(replace(deployment, client=client), Console(as_json=False)), 2_000, follow=True)
    assert starts[1] == log.now - LATE_MILLISECONDS
