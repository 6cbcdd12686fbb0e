"""The security scan: every check passes or is skipped with a reason, and every skip is still needed."""

import os
from pathlib import Path

import pytest

from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.dev.scan import REQUIREMENTS, Scan, Skip, scan

MAIN = """\
resource "aws_sqs_queue" "open" {
  name = "open"
}
resource "aws_sqs_queue" "excused" {
  # checkov:skip=CKV_AWS_27:It holds nothing but numbers.
  name = "excused"
}
resource "aws_sqs_queue" "mended" {
  # checkov:skip=CKV_AWS_27:It holds nothing but numbers.
  name                    = "mended"
  sqs_managed_sse_enabled = true
}
resource "aws_sqs_queue" "unexplained" {
  name = "unexplained" # checkov:skip=CKV_AWS_27
}
# checkov:skip=CKV_AWS_27:Not within the resource.
resource "aws_sqs_queue" "outside" {
  name = "outside"
}
variable "days" {
  type    = number
  default = 30
}
module "called" {
  for_each = toset(["one", "two"])
  source   = "./called"
  days     = var.days
}
"""

CALLED = """\
variable "days" {
  type    = number
  default = 500
}
resource "aws_cloudwatch_log_group" "log" {
  # checkov:skip=CKV_AWS_158,CKV_AWS_999:It holds nothing but numbers.
  for_each          = toset(["a.b", "c"])
  name              = each.key
  retention_in_days = var.days
}
"""

EXAMPLE = """\
module "main" {
  source = "../.."
  days   = 400
}
"""


@pytest.fixture(scope="module", autouse=True)
def checkov() -> None:
    """Its environment, which takes a minute to make, once."""
    try:
        locked.virtual_environment("scan", REQUIREMENTS)
    except ToolError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A scan of code that does everything wrong."""
    folder = tmp_path_factory.mktemp("code")
    files = {
        "main.tf": MAIN,
        "called/main.tf": CALLED,
        "examples/one/main.tf": EXAMPLE,
        # None of these counts.
        "tests/main.tf": MAIN,
        ".terraform/main.tf": MAIN,
        "terraform.tfvars": "days = 400\n",
        ".checkov.yaml": "skip-check: CKV_AWS_27\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return scan(folder)


def test_terraform_passes_or_says_why_not() -> None:
    clean = scan(TERRAFORM)
    assert list(clean.objections()) == []
    # A scan that reached only some of the modules would have far fewer.
    assert clean.passed > 40


def test_what_fails_is_found_once_however_often_it_is_reached(found: Scan) -> None:
    queue, log = "Ensure all data stored in the SQS queue is encrypted", "Ensure CloudWatch log groups retains logs"
    assert [str(finding).partition(" for at least")[0] for finding in found.failed] == [
        f"called/main.tf:5: aws_cloudwatch_log_group.log fails CKV_AWS_338: {log}",
        f"main.tf:1: aws_sqs_queue.open fails CKV_AWS_27: {queue}",
        f"main.tf:17: aws_sqs_queue.outside fails CKV_AWS_27: {queue}",
    ]


def test_what_passes_is_counted_once(found: Scan) -> None:
    # Two of each of the five queues, and two of the log: one of them with the example's days only.
    assert found.passed == 12


def test_a_skip_that_is_needed_excuses_its_own_resource(found: Scan) -> None:
    skip = Skip("main.tf", 5, "CKV_AWS_27", "It holds nothing but numbers.")
    assert skip in found.skipped
    assert skip not in found.needless
    assert skip not in found.unexplained


def test_a_skip_without_which_nothing_fails_is_found(found: Scan) -> None:
    assert [(skip.file, skip.line, skip.check) for skip in found.needless] == [
        ("called/main.tf", 6, "CKV_AWS_999"),
        ("main.tf", 9, "CKV_AWS_27"),
        ("main.tf", 16, "CKV_AWS_27"),
    ]


def test_a_skip_without_a_reason_is_found(found: Scan) -> None:
    assert [(skip.file, skip.line) for skip in found.unexplained] == [("main.tf", 14)]


def test_every_objection_says_where_and_what_to_do(found: Scan) -> None:
    objections = list(found.objections())
    assert len(objections) == 3 + 3 + 1
    assert objections[0].endswith(" (Mend it, or put # checkov:skip=CKV_AWS_338:reason in it)")
    assert objections[3].endswith(" (Nothing in that resource fails without it: remove it)")
    assert objections[-1] == "main.tf:14: skip of CKV_AWS_27:  (Say why, in three words or more)"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "checkov found nothing to check: scan a folder with Terraform code"),
        # Terraform itself takes quotes within a string's directive.
        ('locals {\n  a = "%{ if "b" == "b" }yes%{ endif }"\n}\n', "checkov cannot read main.tf: it knows less of HCL"),
        ('module "gone" {\n  source = "./gone"\n}\n', "checkov could not scan all of it: Unable to load module"),
    ],
)
def test_code_that_is_not_scanned_is_an_error(tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "main.tf").write_text(code)
    with pytest.raises(ToolError) as caught:
        scan(tmp_path)
    assert str(caught.value).startswith(message)
