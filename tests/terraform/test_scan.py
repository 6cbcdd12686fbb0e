"""The security scan: every check passes or is skipped with a reason, and no skip is stale."""

from pathlib import Path

import pytest

from tests.conftest import skip_or_fail
from tools.common import locked
from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.dev.scan import REQUIREMENTS, Scan, scan

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
    """Make checkov's environment once, because that takes a minute."""
    try:
        locked.virtual_environment("scan", REQUIREMENTS)
    except ToolError as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """Scan code that makes every mistake."""
    folder = tmp_path_factory.mktemp("code")
    files = {
        "main.tf": MAIN,
        "called/main.tf": CALLED,
        "examples/one/main.tf": EXAMPLE,
        # The scan leaves these out.
        "tests/main.tf": MAIN,
        ".terraform/main.tf": MAIN,
        "terraform.tfvars": "days = 400\n",
        ".checkov.yaml": "skip-check: CKV_AWS_27\n",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return scan(folder)


def test_terraform_passes_or_gives_reasons() -> None:
    clean = scan(TERRAFORM)
    assert list(clean.objections()) == []
    # A scan that reached only some of the modules would pass far fewer.
    assert clean.passed > 40


def test_every_objection_names_the_place_and_the_remedy(found: Scan) -> None:
    log = "Ensure CloudWatch log groups retains logs for at least 1 year"
    queue = "Ensure all data stored in the SQS queue is encrypted"
    needless = "(No check fails without it: remove it)"
    skip = "(Fix it, or add # checkov:skip={}:reason to it)"
    assert list(found.objections()) == [
        f"called/main.tf:5: aws_cloudwatch_log_group.log fails CKV_AWS_338: {log} {skip.format('CKV_AWS_338')}",
        f"main.tf:1: aws_sqs_queue.open fails CKV_AWS_27: {queue} {skip.format('CKV_AWS_27')}",
        f"main.tf:17: aws_sqs_queue.outside fails CKV_AWS_27: {queue} {skip.format('CKV_AWS_27')}",
        f"called/main.tf:6: skip of CKV_AWS_999: It holds nothing but numbers. {needless}",
        f"main.tf:9: skip of CKV_AWS_27: It holds nothing but numbers. {needless}",
        "main.tf:14: skip of CKV_AWS_27:  (Say why, in three words or more)",
        f"main.tf:16: skip of CKV_AWS_27: Not within the resource. {needless}",
    ]


def test_a_check_that_passes_counts_once(found: Scan) -> None:
    # Two of each of the five queues, a third of the mended one, and two of the log group.
    assert found.passed == 13


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "checkov found nothing to check: scan a folder with Terraform code"),
        # Terraform accepts quotes within a string's directive.
        ('locals {\n  a = "%{ if "b" == "b" }yes%{ endif }"\n}\n', "checkov cannot read main.tf: it knows less of HCL"),
        ('module "gone" {\n  source = "./gone"\n}\n', "checkov could not scan all of it: Unable to load module"),
    ],
)
def test_code_that_checkov_cannot_scan_is_an_error(tmp_path: Path, code: str, message: str) -> None:
    (tmp_path / "main.tf").write_text(code)
    with pytest.raises(ToolError) as caught:
        scan(tmp_path)
    assert str(caught.value).startswith(message)
