"""One run of an operator's command: the deployment it is for, its console and its concurrency."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import NoRegionError

from tools.common.aws import explain_no_answer
from tools.common.errors import ToolError
from tools.common.local_stack import is_local_aws_up
from tools.common.progress import show_progress
from tools.operations import CONCURRENCY
from tools.operations.console import Console, format_counts
from tools.operations.database import UploadSet
from tools.operations.deployment import Deployment, Target, find
from tools.operations.failure_queue import FailureQueue, Sample
from tools.operations.function import Function, Sent
from tools.operations.permissions import explain_errors


@dataclass(frozen=True)
class Session:
    """One run of a command.

    Attributes:
        deployment: The pipeline.
        console: Where the command prints.
        concurrency: Invocations in flight at most.

    """

    deployment: Deployment
    console: Console
    concurrency: int = CONCURRENCY

    def read_failures(self, limit: int) -> Sample:
        """Read about ``limit`` records of the failure queue, and leave them there."""
        queue = FailureQueue(self.deployment)
        depth = queue.depth()
        with show_progress("Reading the failure queue", depth.visible) as update:
            return Sample(queue.sample(limit, lambda read: update(advance=read)), depth)

    def send(self, uploads: UploadSet) -> bool:
        """Have the function process uploads, and print the outcome, also of a part if an error or Ctrl-C ends it.

        Returns:
            Whether every invocation succeeded.

        """
        function, sent = Function(self.deployment, self.concurrency), Sent()
        try:
            with show_progress("Sending", uploads.count) as update:
                function.process_all(uploads.keys(), sent, lambda: update(advance=1))
        finally:
            for key, error in sent.failed.items():
                self.console.json({"key": key, "error": error})
            self.console.table(("KEY", "ERROR"), list(sent.failed.items()))
            counts = {**sent.statuses, "failed": len(sent.failed)}
            self.console.text(f"Sent: {format_counts(counts)}")
            self.console.json({"sent": counts})
        return not sent.failed


@contextmanager
def open_session(
    doing: str, target: Target, *, as_json: bool = False, concurrency: int = CONCURRENCY
) -> Iterator[Session]:
    """Find the deployment, and turn AWS's errors in the block into one-line errors.

    Args:
        doing: The end of an error's sentence that begins with "Cannot".
        target: Which deployment.
        as_json: Whether to print JSON lines.
        concurrency: Invocations in flight at most.

    Raises:
        ToolError: The deployment does not exist, or AWS refused a request.

    """
    console = Console(as_json=as_json)
    with explain_no_answer("AWS", doing), show_progress("Finding the function"):
        try:
            deployment = find(target)
        except NoRegionError as error:
            if target.function or not is_local_aws_up():
                raise
            raise ToolError(
                "No region: set AWS_REGION to the pipeline's region, or use --local for the local AWS of `invoke up`"
            ) from error
    with explain_errors(deployment, doing):
        yield Session(deployment, console, concurrency)
