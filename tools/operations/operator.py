"""Somebody at work on a deployment: what they asked for, what they see, and what they are told where AWS refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tools.common.aws import reached
from tools.common.errors import ToolError
from tools.operations import CONCURRENCY
from tools.operations.deployment import Deployment, Target, find
from tools.operations.function import Function
from tools.operations.permissions import explained
from tools.operations.screen import Screen, counted
from tools.operations.sending import Sent, send
from tools.operations.spool import Spool


@dataclass(frozen=True)
class Operator:
    """Who runs a task.

    Attributes:
        concurrency: How many invocations of theirs are under way at a time.

    """

    deployment: Deployment
    screen: Screen
    concurrency: int = CONCURRENCY

    def send(self, keys: Spool) -> bool:
        """Have the function look at uploads and tell what became of them; whether that is known of all.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: The function may not be invoked, or not be reached.

        """
        function = Function(self.deployment, self.concurrency)
        with self.screen.progress("Sending", keys.count) as bar:
            sent = send(function, keys.keys(), bar.advance)
        self._show(sent)
        return not sent.failed

    def _show(self, sent: Sent) -> None:
        for key, why in sent.failed.items():
            self.screen.line({"key": key, "error": why})
        self.screen.table(("KEY", "FAILED AGAIN"), list(sent.failed.items()))
        counts = {**sent.statuses, "failed": len(sent.failed)}
        self.screen.say(f"Sent: {counted(counts)}")
        self.screen.line({"sent": counts})


@contextmanager
def at_work(doing: str, target: Target, *, as_json: bool = False, concurrency: int = CONCURRENCY) -> Iterator[Operator]:
    """Find the deployment, and explain what AWS refuses meanwhile.

    Args:
        doing: What for, as the rest of a sentence that begins with "Cannot".
        target: Which deployment.
        as_json: Whether the output is for scripts.
        concurrency: How many invocations may be under way at a time.

    Raises:
        ToolError: There is none, or something is refused.

    """
    if concurrency < 1:
        raise ToolError(f"--concurrency {concurrency} would do nothing: use 1 or more")
    with reached("AWS", doing):
        deployment = find(target)
    with explained(deployment, doing):
        yield Operator(deployment, Screen(as_json=as_json), concurrency)
