"""`invoke accept`: its reports, and errors before anything is made."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tools.accept import run as running
from tools.accept.account import Account, explain_refusal
from tools.accept.pipeline import CheckError, Pipeline, expect, wait_for, wait_until_empty
from tools.accept.report import Invocation, Report, Result, estimate, read_invocations
from tools.accept.stack import TemporaryStack
from tools.accept.uploads import HALF, check_key, draw
from tools.build import Package
from tools.common.errors import ToolError
from tools.common.paths import ROOT

TEXT = (
    "REPORT RequestId: 1\tDuration: 84.10 ms\tBilled Duration: 385 ms\tMemory Size: 1769 MB\tMax Memory Used: 137 MB\t"
    "Init Duration: 299.85 ms\t"
)
JSON = (
    '{"time": "2026-11-30T00:00:00Z", "type": "platform.report", "record": {"requestId": "2", "status": "success", '
    '"metrics": {"durationMs": 20.5, "billedDurationMs": 21, "memorySizeMB": 1769, "maxMemoryUsedMB": 140}}}'
)
ACCOUNT = Account("1", "aws", lambda *_: None, "eu-west-1", {}, {}, lambda _: pytest.fail("built"))
REPORT = Report(
    name="accept-12345678",
    began=datetime(2026, 11, 30, 3, 4, tzinfo=UTC),
    where="eu-west-1",
    versions={"terraform": "1.11.4", "aws": "5.100.0"},
    zip="abc",
    runtime="python3.13",
    architecture="arm64",
    results=[Result("a photo", 1.25), Result("alarms", 2, "No <message> | nothing")],
    invocations=[Invocation(385, 1769, 137, 299.85), Invocation(21, 1769, 140, 0)],
)


def test_report_lines_are_read_as_text_and_as_json() -> None:
    other = ["START RequestId: 1", '{"message": "written", "level": "INFO"}', '{"type": "platform.start"}', ""]
    assert read_invocations([*other, TEXT, JSON]) == REPORT.invocations


def test_the_cost_is_that_of_the_invocations_and_little_more_than_the_job() -> None:
    many = replace(REPORT, invocations=[Invocation(1000, 1024, 0, 0)] * 1000)
    # 1,000 GiB-seconds and 1,000 requests.
    assert many.cents - replace(REPORT, invocations=[]).cents == pytest.approx(100 * (0.0133334 + 0.0002))
    assert 25 < replace(REPORT, invocations=[]).cents < 100 * estimate("arm64", 1769) < 27


def test_the_report_names_the_failure_and_ends_with_the_line_for_the_document() -> None:
    markdown = REPORT.markdown()
    assert markdown.startswith("# accept-12345678: 1 of 2 checks failed\n")
    assert r"| alarms | failed: No <message> \| nothing | 2.0 |" in markdown
    where, took = "2026-11-30 | eu-west-1 | python3.13, arm64 | `abc`", "203, 406 | 140 | 1, 300 | 26"
    row = f"| {where} | 1.11.4 | 5.100.0 | 1 of 2 | {took} |"
    assert markdown.endswith(f"\n{row}\n")
    heading = (ROOT / "docs" / "verified.md").read_text().rpartition("\n| date |")[2].splitlines()[0]
    assert heading.count("|") + 2 == row.count("|")
    passed = replace(REPORT, results=REPORT.results[:1], invocations=[])
    assert passed.markdown().startswith("# accept-12345678: all checks passed\n")
    assert "| 0 | - | - | - |" in passed.markdown()


def test_a_report_of_a_local_aws_has_no_cost_and_no_line_for_the_document() -> None:
    markdown = replace(REPORT, is_local=True).markdown()
    assert "| 2 | 203, 406 | 140 | 1, 300 | 0 |\n" in markdown
    assert markdown.endswith("\n\nA local AWS made this report: it cost nothing.\n")
    assert "docs/verified.md" not in markdown


def test_junit_counts_and_names_the_failures() -> None:
    suite = ET.fromstring(REPORT.junit())  # noqa: S314 - our own
    assert {name: suite.attrib[name] for name in ("tests", "failures", "time")} == {
        "tests": "2",
        "failures": "1",
        "time": "3.250",
    }
    assert [failure.attrib for failure in suite.findall("testcase/failure")] == [{"message": "No <message> | nothing"}]


def test_a_check_says_what_it_found_and_what_it_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    expect([1], [1], "numbers")
    with pytest.raises(CheckError, match=r"^numbers: \[1\] instead of \[2\]$"):
        expect([1], [2], "numbers")
    monkeypatch.setattr("tools.accept.pipeline.PATIENCE_SECONDS", 0)
    with pytest.raises(CheckError, match=r"No cake after 0 s$"):
        wait_for(lambda: None, "cake")
    wait_until_empty(list, "cakes that are left")
    with pytest.raises(CheckError, match=r"^cakes that are left after 0 s: apple, cherry$"):
        wait_until_empty(lambda: {"cherry", "apple"}, "cakes that are left")


@pytest.fixture
def without_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, profile or Region, wherever boto3 looks."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("without_configuration")
@pytest.mark.parametrize(
    ("region", "profile", "error"),
    [
        ("", "", "^No Region: name one with --region, or set AWS_REGION$"),
        ("mars-north-1", "", "^mars-north-1 is no Region, or lacks cloudwatch, events, .*: choose another --region$"),
        ("eu-west-1", "", "^No credentials for AWS: Unable to locate credentials: sign in with"),
        (
            "eu-west-1",
            "missing",
            r"^No credentials for AWS: The config profile \(missing\) could not be found: sign in",
        ),
    ],
)
def test_an_account_that_cannot_be_used_is_one_error(region: str, profile: str, error: str) -> None:
    with pytest.raises(ToolError, match=error):
        Account.of_user(region, profile)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (
            "AccessDenied",
            "User: arn:aws:iam::1:user/a is not authorized to perform: sqs:ListQueues on resource: *",
            r'^Cannot list resources: AccessDenied: .*: your policy needs .*"Action": "sqs:ListQueues"',
        ),
        ("AccessDenied", "Access Denied", '"Action": "ListBuckets"'),
        (
            "InvalidClientTokenId",
            "The security token is invalid",
            "^AWS does not accept the credentials: .*, or enable",
        ),
    ],
)
def test_a_refusal_names_the_missing_action(code: str, message: str, error: str) -> None:
    with pytest.raises(ToolError, match=error), explain_refusal("list resources"):
        raise ClientError({"Error": {"Code": code, "Message": message}}, "ListBuckets")


def test_a_name_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "find_resources", lambda _, name: [f"s3 {name}-in"])
    stack = TemporaryStack(ACCOUNT)
    error = f"The name {stack.name} is in use by s3 {stack.name}-in: run again for another name"
    with pytest.raises(ToolError, match=error):
        stack.check_name()


class FakeStack:
    """Records what a run asks of a stack, without AWS and Terraform.

    Attributes:
        asked: Names of the stack's methods, in the order of their calls.
        errors: Raised by the next call of a method, by its name.

    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.errors: dict[str, BaseException] = {}
        package = Package(Path("x"), "python3.13", "arm64", "", "a" * 44, "", 0, {})
        answers = {"check_name": None, "prepare": package, "deploy": self, "check_removed": None}
        for name, answer in {**answers, "remove_files": None}.items():
            monkeypatch.setattr(TemporaryStack, name, partial(self.ask, name, answer))
        monkeypatch.setattr(TemporaryStack, "directory", Path("/a folder"))
        monkeypatch.setattr(TemporaryStack, "terraform", self)
        monkeypatch.setattr(running, "Terraform", lambda _: None)

    def ask(self, name: str, answer: object) -> object:
        self.asked.append(name)
        if name in self.errors:
            raise self.errors.pop(name)
        return answer

    def destroy(self) -> None:
        self.ask("destroy", None)

    def log_events(self) -> list[dict[str, str]]:
        self.ask("log_events", None)
        return [{"message": TEXT}]

    def versions(self) -> dict[str, str]:
        return {"terraform": "1.11.4", "aws": "5.100.0"}

    def run(self, *_: str) -> str:
        return "No changes. Your infrastructure matches the configuration."


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    return FakeStack(monkeypatch)


REMOVED = ["destroy", "check_removed", "remove_files"]


def run(said: list[str], check: Callable[[object], None] = lambda _: None, *, keep: bool = False) -> Report:
    return running.run(ACCOUNT, said.append, confirmed=True, keep=keep, checks={"a check": check})


def test_a_kept_stack_is_not_destroyed_and_the_command_that_removes_it_is_shown(stack: FakeStack) -> None:
    said: list[str] = []
    report = run(said, keep=True)
    assert stack.asked == ["check_name", "prepare", "deploy", "log_events"]
    assert "At the end, the stack stays (--keep)." in said[0]
    assert said[-1].endswith("\nterraform -chdir='/a folder/root' destroy && rm -r '/a folder'")
    assert [one.name for one in report.results] == ["a check", "a second plan is empty"]


@pytest.mark.parametrize("failing", ["destroy", "check_removed"])
def test_what_could_not_be_removed_is_a_failure_and_keeps_the_state(stack: FakeStack, failing: str) -> None:
    stack.errors[failing] = ToolError("terraform destroy: BucketNotEmpty")
    said: list[str] = []
    (failed,) = run(said).failed
    assert failed.failure == "terraform destroy: BucketNotEmpty"
    assert stack.asked[-2:] == REMOVED[:-1]
    assert said[-1].startswith("Parts of the stack may be left. To remove them, run:\nterraform -chdir=")


def test_an_apply_that_fails_is_the_error_after_the_removal(stack: FakeStack) -> None:
    stack.errors["deploy"] = ToolError("terraform apply: AccessDenied")
    with pytest.raises(ToolError, match=r"^terraform apply: AccessDenied$"):
        run([])
    assert stack.asked[3:] == REMOVED


def test_a_log_that_cannot_be_read_is_the_error_after_the_removal(stack: FakeStack) -> None:
    stack.errors["log_events"] = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: logs:FilterLogEvents"}},
        "FilterLogEvents",
    )
    with pytest.raises(ToolError, match=r'^Cannot read the log: .*"Action": "logs:FilterLogEvents"'):
        run([])
    assert stack.asked[4:] == REMOVED


def test_a_bug_in_a_check_still_removes_the_stack(stack: FakeStack) -> None:
    def check(_: object) -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        run([], check)
    assert stack.asked[3:] == REMOVED


@pytest.mark.parametrize("interrupted", ["destroy", "check_removed"])
def test_an_interrupt_of_the_removal_removes_the_rest(stack: FakeStack, interrupted: str) -> None:
    stack.errors[interrupted] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run([])
    assert stack.asked[-3:] == REMOVED
    assert stack.asked.count("destroy") == 2


TURNS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "turned": lambda image: image.rotate(180),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "cropped": lambda image: image.crop((0, 0, 80, 60)).resize(HALF),
    "with red and blue exchanged": lambda image: Image.merge("RGB", image.split()[::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
def test_an_output_that_is_not_the_picture_is_found(monkeypatch: pytest.MonkeyPatch, turn: str) -> None:
    written = TURNS[turn](draw(size=HALF))
    monkeypatch.setattr(Pipeline, "upload", lambda *_: None)
    monkeypatch.setattr(Pipeline, "wait_for_image", lambda *_: written)
    pipeline = Pipeline.__new__(Pipeline)
    if turn == "as it is":
        check_key(pipeline, "cake.jpg")
        return
    with pytest.raises(CheckError, match="The output differs from the upload by"):
        check_key(pipeline, "cake.jpg")
