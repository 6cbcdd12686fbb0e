"""The knob for tests: what goes wrong with chosen S3 requests, and with the machines that functions run on."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.local.aws.control import ask

if TYPE_CHECKING:
    from tools.common.local_stack import LocalAws


@dataclass(frozen=True)
class Fault:
    """Which requests are hit, and how: the first fault that matches a request and hits it is the one that applies.

    A read is delayed or held with its answer made; a write before it has an effect, and it never has one where its
    client hangs up meanwhile.

    Attributes:
        method: GET, PUT and so on; ``*`` for any.
        bucket: Its name.
        key: A shell pattern.
        status: Answer this HTTP status; 0 answers as usual.
        code: S3's error code that goes with it.
        delay: Seconds.
        hold: Whether to wait until the fault is released.
        cut: Whether the content that a GET reads ends half-way, with the connection.
        length: What a GET or HEAD is told of the content's length, in bytes: a GET gets no more than that, and no
            checksum that would tell. Where that is more than there is, nothing follows what there is until the fault
            is released.
        times: How many requests are hit at most.
        rate: The share of the requests that match which is hit, from 0 to 1.
        seed: Of the chance that decides: the same for the same sequence of requests.
        functions_only: Whether only functions' requests are, not an administrator's.

    """

    method: str
    bucket: str
    key: str = "*"
    status: int = 0
    code: str = "InternalError"
    delay: float = 0
    hold: bool = False
    cut: bool = False
    length: int | None = None
    times: int = 1
    rate: float = 1
    seed: int = 0
    functions_only: bool = True


def inject(aws: "LocalAws", fault: Fault) -> str:
    """Set a fault up; returns its id."""
    identity: str = ask(aws, "POST", "faults", dataclasses.asdict(fault))
    return identity


def await_held(aws: "LocalAws", identity: str, count: int = 1) -> None:
    """Wait until so many requests in all have been delayed or held by the fault, and may be still.

    Raises:
        TimeoutError: They did not come.

    """
    ask(aws, "GET", f"faults/{identity}", count)


def release(aws: "LocalAws", identity: str) -> None:
    """Let what the fault delays or holds go on, and remove it."""
    ask(aws, "DELETE", f"faults/{identity}")


def kill(aws: "LocalAws", function_name: str) -> None:
    """End the machines under all that runs of a function; returns when it runs no more and its connections are closed.

    To who invoked it, its runtime exited; an asynchronous event is tried again.
    """
    ask(aws, "POST", f"kill/{function_name}")


def backlog(aws: "LocalAws", function_name: str) -> int:
    """Tell how many asynchronous events of a function have not ended: waiting, under way, or to be tried again."""
    count: int = ask(aws, "GET", f"backlog/{function_name}")
    return count
