"""One run of `invoke accept`: shows what it will make, makes it, runs every check, removes everything, and reports."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from tools.accept import report as reporting
from tools.accept import uploads
from tools.accept.access import check_denied_requests
from tools.accept.account import Account, explain_refusal
from tools.accept.alarms import check_alarms
from tools.accept.operating import check_audit, check_backfill, check_redrive
from tools.accept.pipeline import CheckError, Pipeline
from tools.accept.report import Report, Result
from tools.accept.stack import TemporaryStack
from tools.build import Target
from tools.common.aws import one_line
from tools.common.cli import Say, escape
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.pricing import BATCH_OPERATIONS_JOB, PRICES_AS_KNOWN_ON, REGION
from tools.common.terraform import Terraform
from tools.common.tfvars import DEFAULTS
from tools.local.aws import local_aws

Check = Callable[[Pipeline], None]


def list_checks() -> dict[str, Check]:
    """Return the checks of a deployed pipeline by name, in their order."""
    return {
        "the first output": uploads.check_trigger,
        "a photo": uploads.check_photo,
        **{
            f"a format: {name}": partial(uploads.check_format, name=name, one=one)
            for name, one in uploads.draw_formats().items()
        },
        **{f"a key: {key}": partial(uploads.check_key, key=key) for key in uploads.ODD_KEYS},
        "an upload in parts": uploads.check_multipart,
        **{
            f"a rejection: {reason}, {key[:20]}": partial(uploads.check_rejection, key=key, body=body, reason=reason)
            for key, (body, reason) in uploads.draw_rejected().items()
        },
        "an upload over another": uploads.check_overwriting,
        "deletions": uploads.check_deletions,
        "a redrive": check_redrive,
        "a deep audit": check_audit,
        "a backfill by S3 Batch Operations": check_backfill,
        "denied requests": check_denied_requests,
        "alarms": check_alarms,
    }


def describe(stack: TemporaryStack, *, keep: bool) -> str:
    """Return what a run will make, and what that will cost."""
    dollars = reporting.estimate(Target().architecture, DEFAULTS["function"]["memory_size"])
    end = "At the end, the stack stays (--keep)." if keep else "At the end, or after Ctrl-C, all of it is deleted."
    return f"""\
Account {stack.account.account_id}, {stack.account.region}: a temporary stack whose names begin with {stack.name}:
- 2 buckets, a function, 2 queues, a log group with 9 metrics, 8 alarms, a dashboard, a topic, 2 roles with policies
- for the checks of permissions: 2 more buckets, a function, a queue, a log group and a role without permissions
- about {reporting.UPLOADS} uploads, and one job of S3 Batch Operations, which stays in S3's list for 90 days
On AWS, it takes about 15 minutes, and costs about US$ {dollars:.2f}: {BATCH_OPERATIONS_JOB:.2f} for the job, \
the rest for Lambda,
S3 and CloudWatch, with the prices of {REGION} on {PRICES_AS_KNOWN_ON}. {end}"""


@contextlib.contextmanager
def open_account(region: str, profile: str, *, keep: bool, local: bool) -> Iterator[Account]:
    """Yield the user's account, or that of a local AWS, which ends with the block.

    Raises:
        ToolError: Options exclude each other; there are no credentials; or the local AWS can't run.

    """
    if not local:
        yield Account.of_user(region, profile)
        return
    if region or profile or keep:
        raise ToolError("--local has its own Region and credentials, and nothing to keep: leave the other options out")
    with local_aws() as aws:
        yield Account.of_local(aws)


def run(
    account: Account,
    say: Say,
    *,
    confirmed: bool,
    keep: bool = False,
    checks: Mapping[str, Check] | None = None,
) -> Report:
    """Deploy a temporary stack, run the checks, and remove the stack, also after an error or an interrupt.

    Args:
        account: Where to deploy the stack.
        say: Shows progress.
        confirmed: Whether to deploy; otherwise, only show what would be made.
        keep: Whether to leave the stack, and say how to remove it.
        checks: By name; by default, :func:`list_checks`.

    Raises:
        ToolError: Not confirmed; Terraform is missing; or AWS or Terraform refused something before the checks.

    """
    # Fail before anything is built if there is no Terraform.
    Terraform(TERRAFORM)
    stack, began = TemporaryStack(account), datetime.now(UTC)
    say(describe(stack, keep=keep))
    if not confirmed:
        raise ToolError("Nothing was made: run again with --yes to make it")
    stack.check_name()
    say("Building the function and preparing Terraform")
    package = stack.prepare()
    results: list[Result] = []

    def add(name: str, check: Callable[[], None]) -> Result:
        results.append(result := _run(name, check))
        say(escape(f"{result.seconds:6.1f} s  {name}: {result.failure or 'passed'}"))
        return result

    try:
        say("Deploying with Terraform, which takes a minute or two")
        pipeline = stack.deploy()
        for name, check in (checks or list_checks()).items():
            add(name, partial(check, pipeline))
        add("a second plan is empty", partial(_check_plan, stack))
        with explain_refusal("read the log"):
            invocations = reporting.read_invocations(event["message"] for event in pipeline.log_events())
        versions = stack.terraform.versions()
    finally:
        if keep:
            say(f"The stack stays. To remove it, run:\n{stack.how_to_remove()}")
        else:
            say("Destroying the stack")
            try:
                _remove(stack, add, say)
            except KeyboardInterrupt:
                # Terraform has stopped. A task ignores later interrupts.
                _remove(stack, add, say)
                raise
    return Report(
        stack.name,
        began,
        account.region,
        versions,
        package.sha256[:12],
        package.runtime,
        package.architecture,
        results,
        invocations,
        account.is_local,
    )


def _run(name: str, check: Callable[[], None]) -> Result:
    """Run a check, and return its result. Other errors than those of the pipeline and AWS are bugs, and are raised."""
    began, failure = time.monotonic(), ""
    try:
        check()
    except (CheckError, ToolError, ClientError, BotoCoreError) as error:
        failure = one_line(error)
    return Result(name, time.monotonic() - began, failure)


def _remove(stack: TemporaryStack, add: Callable[[str, Callable[[], None]], Result], say: Say) -> None:
    """Destroy the stack, and keep its state if that failed, or if something is left."""
    removal = [add("destroy", stack.terraform.destroy), add("nothing is left", stack.check_removed)]
    if any(one.failure for one in removal):
        say(f"Parts of the stack may be left. To remove them, run:\n{stack.how_to_remove()}")
    else:
        stack.remove_files()


def _check_plan(stack: TemporaryStack) -> None:
    """Check that a plan after the apply changes nothing."""
    if "No changes" not in (plan := stack.terraform.run("plan", "-input=false")):
        raise CheckError(f"The plan changes something: {plan}")
