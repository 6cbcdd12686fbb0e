"""The module's own tests (``terraform test`` with a mocked provider), its order, and the words of its refusals."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.common.errors import ToolError
from tools.common.paths import TERRAFORM
from tools.common.terraform import Terraform

ROOT, FUNCTION, BUCKET, NOTIFICATION, MONITORING = "", "function", "bucket", "notification", "monitoring"

SETTINGS = {
    ROOT: {
        "source_bucket": '"src-bucket-image-in"',
        "destination_bucket": '"dest-bucket-image-out"',
        "package": '{ path = "./tests/package/function.zip" }',
    },
    FUNCTION: {
        "source_bucket": '{ name = "src-bucket-image-in" }',
        "destination_bucket": '{ name = "dest-bucket-image-out" }',
        "package": '{ path = "./tests/package/function.zip" }',
    },
    BUCKET: {"name": '"bucket"'},
    NOTIFICATION: {"bucket": '"bucket"'},
    MONITORING: {
        "function_name": '"Lambda-image"',
        "log_group": '"/aws/lambda/Lambda-image"',
        "failure_queue_name": '"Lambda-image-failures"',
        "architecture": '"arm64"',
        "memory_size": "1769",
        "timeout": "120",
    },
}
"""What each module must be given: the root module and those of ``modules/``."""

ZIP_IN_S3 = 's3 = { bucket = "artifacts", key = "function.zip" }'
SHA256 = 'sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="'
OF_X86_64 = f"a/image-resize-python3.13-x86_64-{64 * 'e'}.zip"
PYTHON, ARM64 = 'runtime = "python3.13"', 'architecture = "arm64"'
KEY = "arn:aws:kms:eu-west-2:123456789012"

PREFIX = "must be a folder: end in a slash, begin with none, and hold only Latin-1 characters and none of * ? { }"
KEY_ARN = (
    "must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: policies know keys only by that."
)
BUCKET_NAME = "A bucket's name must be 3 to 63 lower-case letters, digits, dots and hyphens"
TWO_DOTS = "no two dots in a row and not be an IP address"
RESERVED = "begins or ends as S3 keeps for itself"
NAME = "name must be 1 to 59 letters, digits, hyphens and underscores"
PATH_OR_S3 = 'package must have either path, the zip that "invoke build" made, or s3 with sha256'
ALL_THREE = (
    'which needs all three: paste what "invoke publish --bucket NAME" prints. With package.path they are the manifest'
)
MEMORY = (
    "function.memory_size must be a whole number of MiB from 256, below which there is no room for an image, to 10240"
)
TIMEOUT = "function.timeout must be a whole number of seconds from 1 to 900"
STORAGE = "function.ephemeral_storage_size must be a whole number of MiB from 512 to 10240"
VPC = 'function.vpc must have 1 to 16 subnet_ids, such as "subnet-0a1b", and 1 to 5 security_group_ids'
EVENT_AGE = "asynchronous.maximum_event_age_in_seconds must be a whole number from 60 to 21600 (6 hours)"
DAYS = "log_retention_days must be one that CloudWatch Logs has: 0, 1, 3,"
FILTERS = "filters must be 1 to 100 objects, as many as S3 has for a bucket: leave it out"
BOUNDARY = "role.permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::ACCOUNT:policy/NAME."
RENDITION_NAME = "Each name in renditions must be lower-case letters, digits and single hyphens"
SIZE = "Each of renditions must set either scale, or width, height or both."
SCALE = "Each scale in renditions must be from 0.0001 to 1: nothing is enlarged."
SIDE = "Each width and height in renditions must be a whole number of pixels from 1 to 65535"
FIT = 'Each fit in renditions must be "inside", or "cover" with both width and height.'
FORMAT = "Each format in renditions must be jpeg, png, webp or avif, or null for the source's own."
QUALITY = "Each quality in renditions must be a whole number from 1 to 100"
STORAGE_CLASS = "Each storage_class in renditions must be STANDARD, STANDARD_IA,"
OUTPUT_KEY = "Each key in renditions must hold {dir} once and then {name} once"
LOOP = "One bucket for both could be an endless and costly loop"

HOW_TO_GET_ONE = (
    'In a clone, run "invoke build" first. Where the module comes from git it brings no zip: '
    'put one into a bucket of yours with "invoke publish --bucket NAME" and set package to what that prints.'
)

VALUES = [
    (ROOT, "destination_bucket", '"src-bucket-image-in"', "itself be an upload to resize, in an endless and costly"),
    (BUCKET, "name", '"ab"', BUCKET_NAME),
    (BUCKET, "name", f'"{64 * "a"}"', BUCKET_NAME),
    (BUCKET, "name", '"UPPER"', 'and begin and end with a letter or digit: "UPPER" is not.'),
    (BUCKET, "name", '"a-bucket."', BUCKET_NAME),
    (BUCKET, "name", '"a..bucket"', TWO_DOTS),
    (BUCKET, "name", '"192.168.0.1"', TWO_DOTS),
    (BUCKET, "name", '"xn--bucket"', RESERVED),
    (BUCKET, "name", '"a-bucket--x-s3"', RESERVED),
    (BUCKET, "kms_key_arn", '"alias/a"', f"kms_key_arn {KEY_ARN}"),
    (FUNCTION, "name", '""', NAME),
    (FUNCTION, "name", '"has spaces"', NAME),
    (FUNCTION, "name", f'"{60 * "a"}"', NAME),
    (FUNCTION, "package", "{}", PATH_OR_S3),
    (
        FUNCTION,
        "package",
        f'{{ path = "./tests/package/function.zip", {ZIP_IN_S3}, {SHA256}, {PYTHON}, {ARM64} }}',
        PATH_OR_S3,
    ),
    (FUNCTION, "package", '{ path = "./tests/package/function.json" }', "package.path must end in .zip: give the path"),
    (FUNCTION, "package", f"{{ {ZIP_IN_S3}, {PYTHON}, {ARM64} }}", ALL_THREE),
    (FUNCTION, "package", f"{{ {ZIP_IN_S3}, {SHA256}, {ARM64} }}", ALL_THREE),
    (FUNCTION, "package", f"{{ {ZIP_IN_S3}, {SHA256}, {PYTHON} }}", ALL_THREE),
    (FUNCTION, "package", f'{{ path = "./tests/package/function.zip", {PYTHON} }}', ALL_THREE),
    (
        FUNCTION,
        "package",
        f'{{ {ZIP_IN_S3}, sha256 = "{64 * "e"}", {PYTHON}, {ARM64} }}',
        "package.sha256 must be the zip's SHA-256 in base64, 44 characters",
    ),
    (
        FUNCTION,
        "package",
        f'{{ {ZIP_IN_S3}, {SHA256}, runtime = "python3.11", {ARM64} }}',
        "package.runtime must be python3.12 or python3.13",
    ),
    (
        FUNCTION,
        "package",
        f'{{ {ZIP_IN_S3}, {SHA256}, {PYTHON}, architecture = "aarch64" }}',
        "package.architecture must be arm64 or x86_64.",
    ),
    (
        FUNCTION,
        "package",
        f'{{ s3 = {{ bucket = "s3://artifacts", key = "a.zip" }}, {SHA256}, {PYTHON}, {ARM64} }}',
        "package.s3.bucket must be the bucket's name alone, and package.s3.key the object's key",
    ),
    (
        FUNCTION,
        "package",
        f'{{ s3 = {{ bucket = "artifacts", key = "{OF_X86_64}" }}, {SHA256}, {PYTHON}, {ARM64} }}',
        "package.runtime and package.architecture must be those that package.s3.key names",
    ),
    (FUNCTION, "trigger", '"sns"', "trigger must be s3, eventbridge or both."),
    (FUNCTION, "filters", "[]", FILTERS),
    (FUNCTION, "filters", "[null]", FILTERS),
    (FUNCTION, "filters", '[for i in range(101) : { prefix = format("%03d/", i) }]', FILTERS),
    (FUNCTION, "filters", '[{ suffix = "*.jpg" }]', 'is literal, and "*" is no wildcard: suffix = ".jpg" is for every'),
    (FUNCTION, "source_bucket", '{ name = "arn:aws:s3:::in" }', "source_bucket.name must be the bucket's name alone"),
    (FUNCTION, "destination_bucket", '{ name = "s3://out" }', "destination_bucket.name must be the bucket's name"),
    *(
        (FUNCTION, bucket, f'{{ name = "one", prefix = "{prefix}" }}', f"{bucket}.prefix {PREFIX}")
        for bucket in ("source_bucket", "destination_bucket")
        for prefix in ("uploads", "/uploads/", "/", "up*/", "{dir}/", r"a\n/", "фото/")
    ),
    *(
        (FUNCTION, bucket, f'{{ name = "one", kms_key_arn = "{arn}" }}', f"{bucket}.kms_key_arn {KEY_ARN}")
        for bucket in ("source_bucket", "destination_bucket")
        for arn in (f"{KEY}:alias/a", f"{KEY}:key/*", "arn:aws:kms:*:123456789012:key/a")
    ),
    *(
        (FUNCTION, "kms_key_arns", f'{{ queues = "{arn}" }}', f"Each of kms_key_arns {KEY_ARN}")
        for arn in ("alias/a", f"{KEY}:key/", f"{KEY}:key/*")
    ),
    (
        FUNCTION,
        "kms_key_arns",
        f'{{ source_bucket = "{KEY}:key/a" }}',
        "The buckets' keys belong into source_bucket.kms_key_arn and destination_bucket.kms_key_arn",
    ),
    (FUNCTION, "role", '{ path = "images" }', 'role.path must begin and end with a slash, such as "/images/".'),
    (FUNCTION, "role", '{ permissions_boundary_arn = "b" }', BOUNDARY),
    (FUNCTION, "role", '{ permissions_boundary_arn = "arn:aws:iam::123456789012:policy/*" }', BOUNDARY),
    *(
        (FUNCTION, "function", f"{{ {name} = {value} }}", message)
        for name, values, message in (
            ("memory_size", ("255", "10241", "1024.5"), MEMORY),
            ("timeout", ("0", "901", "60.5"), TIMEOUT),
            ("ephemeral_storage_size", ("511", "10241", "512.5"), STORAGE),
            (
                "reserved_concurrent_executions",
                ("-1", "0.5"),
                "function.reserved_concurrent_executions must be a whole number from 0, which stops the function, or",
            ),
        )
        for value in values
    ),
    (FUNCTION, "function", '{ vpc = { subnet_ids = [], security_group_ids = ["sg-1"] } }', VPC),
    (FUNCTION, "function", '{ vpc = { subnet_ids = ["subnet-1"], security_group_ids = [] } }', VPC),
    (FUNCTION, "function", '{ vpc = { subnet_ids = ["sg-1"], security_group_ids = ["sg-1"] } }', VPC),
    (FUNCTION, "function", '{ vpc = { subnet_ids = ["subnet-1"], security_group_ids = ["subnet-1"] } }', VPC),
    (FUNCTION, "metadata", '"some"', "metadata must be none, copyright or all."),
    (FUNCTION, "max_pixels", "0", "max_pixels must be a whole number from 1"),
    (
        FUNCTION,
        "asynchronous",
        "{ maximum_retry_attempts = 3 }",
        "asynchronous.maximum_retry_attempts must be 0, 1 or 2",
    ),
    *(
        (FUNCTION, "asynchronous", f"{{ maximum_event_age_in_seconds = {seconds} }}", EVENT_AGE)
        for seconds in ("59", "21601", "60.5")
    ),
    *((FUNCTION, "log_retention_days", days, DAYS) for days in ("-1", "2", "30.5", "3654")),
    (FUNCTION, "tags", '{ "AWS:team" = "images" }', 'No key in tags may begin with "aws:", which AWS keeps for itself'),
    (FUNCTION, "tags", "{ team = null }", "tags must be at most 50, each with a key of 1 to 128 characters"),
    *(
        (FUNCTION, "renditions", renditions, message)
        for renditions, message in (
            ("{}", "renditions must name at least one, such as { resized = { scale = 0.5 } }."),
            ("{ a = null }", "Each of renditions must be an object such as { scale = 0.5 }, not null."),
            ('{ "Upper/Case" = { scale = 1 } }', RENDITION_NAME),
            ("{ a- = { scale = 1 } }", RENDITION_NAME),
            ("{ a = {} }", SIZE),
            ("{ a = { scale = 1, width = 1 } }", SIZE),
            ("{ a = { scale = 0.00009 } }", SCALE),
            ("{ a = { scale = 1.01 } }", SCALE),
            ("{ a = { width = 0 } }", SIDE),
            ("{ a = { width = 1.5 } }", SIDE),
            ("{ a = { width = 65536 } }", SIDE),
            ("{ a = { height = 0 } }", SIDE),
            ('{ a = { width = 1, fit = "fill" } }', FIT),
            ('{ a = { width = 1, fit = "cover" } }', FIT),
            ('{ a = { width = 1, format = "gif" } }', FORMAT),
            ('{ a = { width = 1, format = "" } }', FORMAT),
            ("{ a = { width = 1, quality = 0 } }", QUALITY),
            ("{ a = { width = 1, quality = 101 } }", QUALITY),
            (
                '{ a = { width = 1, background = "red" } }',
                'Each background in renditions must be a colour such as "#ff',
            ),
            ('{ a = { width = 1, cache_control = "é" } }', "Each cache_control in renditions must be printable ASCII"),
            ('{ a = { width = 1, storage_class = "GLACIER" } }', STORAGE_CLASS),
            ('{ a = { width = 1, storage_class = "" } }', STORAGE_CLASS),
            ('{ a = { width = 1, key = "{name}" } }', OUTPUT_KEY),
            ('{ a = { width = 1, key = "{dir}x" } }', OUTPUT_KEY),
            ('{ a = { width = 1, key = "{dir}{size}-{name}" } }', OUTPUT_KEY),
            ('{ a = { width = 1, key = "x{dir}{name}" } }', OUTPUT_KEY),
        )
    ),
    *(
        (MONITORING, name, value, message)
        for name, value, message in (
            (
                "alarm_topic_arn",
                '"arn:aws:sqs:eu-west-2:123456789012:alarms"',
                "alarm_topic_arn must be the ARN of a standard SNS topic, arn:aws:sns:REGION",
            ),
            ("architecture", '"aarch64"', "architecture must be arm64 or x86_64: give modules/function's output"),
            (
                "failure_queue_name",
                '"https://sqs/q"',
                "failure_queue_name must be the queue's name alone, no URL and no",
            ),
            ("function_name", '"arn:aws:lambda:a"', "function_name must be the function's name alone, no ARN: give"),
            (
                "log_group",
                '"arn:aws:logs:a"',
                "log_group must be the log group's name alone, no ARN: give modules/funct",
            ),
            ("runbook", '""', "runbook must be a path or a URL of at most 512 characters, without blanks and"),
            ("runbook", '"runbook.md#top"', 'without blanks and without "#": each alarm adds its own heading.'),
            ("undelivered_queue_name", '""', "undelivered_queue_name must be the queue's name alone, no URL and no"),
            ("undelivered_queue_name", '"arn:aws:sqs:a"', "undelivered_queue_name must be the queue's name alone, no"),
            ("thresholds", "{ errors = 0 }", "thresholds.errors must be a whole number of failed invocations from 1."),
            ("thresholds", "{ throttled_minutes = 7 }", "throttled_minutes must be a multiple of 5 from 5 to 1440, a"),
            ("thresholds", "{ throttled_minutes = 1445 }", "throttled_minutes must be a multiple of 5 from 5 to 1440"),
            ("thresholds", "{ timeout_percent = 101 }", "thresholds.timeout_percent must be above 0 and at most 100,"),
            (
                "thresholds",
                "{ failure_age_hours = 336 }",
                "thresholds.failure_age_hours must be above 0 and below 336,",
            ),
            (
                "thresholds",
                "{ rejected_percent = 0 }",
                "thresholds.rejected_percent must be above 0, which would be an",
            ),
            ("thresholds", "{ rejected_uploads = 0.5 }", "thresholds.rejected_uploads must be a whole number of uplo"),
        )
    ),
]
"""A module, a variable of it, a value that it refuses by itself, and what is said of that."""

TOGETHER: list[tuple[str, dict[str, str], str]] = [
    *(
        (FUNCTION, {"filters": filters}, f"Two filters could fit one key ({both}), which S3 refuses")
        for filters, both in (
            (
                '[{ prefix = "a/" }, { prefix = "b/" }, { prefix = "a/b/", suffix = ".jpg" }]',
                '{"prefix":"a/","suffix":""} and {"prefix":"a/b/","suffix":".jpg"}',
            ),
            (
                '[{ suffix = ".jpg" }, { prefix = "a/", suffix = "x.jpg" }]',
                '{"prefix":"","suffix":".jpg"} and {"prefix":"a/","suffix":"x.jpg"}',
            ),
            ('[{}, { prefix = "a/" }]', '{"prefix":"","suffix":""} and {"prefix":"a/","suffix":""}'),
        )
    ),
    *(
        (NOTIFICATION, {"lambda_notification": notifications}, "Two of lambda_notification could fit one key (a and b)")
        for notifications in (
            """[
              { id = "a", lambda_function_arn = "a", events = ["s3:ObjectCreated:Put"], filter_suffix = ".jpg" },
              { id = "b", lambda_function_arn = "b", events = ["s3:ObjectCreated:*"], filter_prefix = "b/" },
            ]""",
            """[
              { id = "a", lambda_function_arn = "a", events = ["s3:LifecycleExpiration:Delete"] },
              { id = "b", lambda_function_arn = "b", events = ["s3:ObjectCreated:*", "s3:LifecycleExpiration:*"] },
            ]""",
        )
    ),
    *(
        (
            FUNCTION,
            {
                "source_bucket": f'{{ name = "one", prefix = "{source}" }}',
                "destination_bucket": f'{{ name = "one", prefix = "{destination}" }}',
            }
            | others,
            f"{LOOP} ({loop})",
        )
        for source, destination, others, loop in (
            ("", "", {}, 'resized writes below "" and uploads are resized below ""'),
            ("a/", "a/", {}, 'resized writes below "a/" and uploads are resized below "a/"'),
            ("a/", "a/b/", {}, 'resized writes below "a/b/" and uploads are resized below "a/"'),
            ("a/b/", "a/", {}, 'resized writes below "a/" and uploads are resized below "a/b/"'),
            (
                "",
                "resized/",
                {"filters": '[{ prefix = "uploads/" }, { prefix = "resi" }]'},
                'resized writes below "resized/" and uploads are resized below "resi"',
            ),
            (
                "uploads/",
                "",
                {
                    "renditions": '{ good = { scale = 1, key = "out/{dir}{name}" }, '
                    'bad = { scale = 0.5, key = "{dir}b-{name}" } }'
                },
                'bad writes below "" and uploads are resized below "uploads/"',
            ),
        )
    ),
    *(
        (
            FUNCTION,
            {
                "source_bucket": '{ name = "one" }',
                "destination_bucket": '{ name = "one" }',
                "filters": f'[{{ prefix = "{prefix}" }}]',
                "renditions": '{ thumb = { scale = 1, key = "t/{dir}{name}" } }',
                "batch_operations": "true",
            },
            f'of jobs below "batch-operations/Lambda-image/" would be uploads (resized below "{prefix}"): give',
        )
        for prefix in ("b", "batch-operations/Lambda-image/reports/")
    ),
    *(
        (FUNCTION, {"renditions": renditions}, f"Two renditions could write one key ({both})")
        for renditions, both in (
            ("{ a = { scale = 1 }, a-b = { scale = 1 }, c = { scale = 1 } }", "a and a-b"),
            ('{ a = { scale = 1, key = "x/{dir}{name}" }, b = { scale = 1, key = "x/{dir}{name}" } }', "a and b"),
            ('{ a = { scale = 1, key = "x/{dir}t-{name}" }, b = { scale = 1, key = "{dir}t-{name}" } }', "a and b"),
            ('{ a = { scale = 1, key = "{dir}{stem}-{name}" }, b = { scale = 1 } }', "a and b"),
        )
    ),
    (
        FUNCTION,
        {
            "renditions": '{ for i in range(34) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }',
            "max_pixels": "1000000",
        },
        "bytes, and Lambda has 4096 for all environment variables: use fewer renditions, or shorter keys.",
    ),
    (
        FUNCTION,
        {
            "trigger": '"eventbridge"',
            "filters": '[for i in range(61) : { prefix = format("photos/%03d/", i), suffix = ".jpg" }]',
        },
        "characters, and EventBridge takes 2048: use fewer, or a wider prefix.",
    ),
    *(
        (
            ROOT,
            {"package": package},
            f"No built function at {path}, or the manifest beside it is another's. {HOW_TO_GET_ONE}",
        )
        for package, path in (
            ("{}", "./../dist/function.zip"),
            ('{ path = "./tests/none/function.zip" }', "./tests/none/function.zip"),
            *((f'{{ path = "./tests/wrong/{n}.zip" }}', f"./tests/wrong/{n}.zip") for n in range(3)),
        )
    ),
]
"""What is refused only where each variable is right: values that do not go together, and no zip."""


@dataclass(frozen=True)
class Plan:
    """A module, settings of which some are wrong, and what is said of each of those."""

    module: str
    settings: dict[str, str]
    messages: list[str]

    def test(self) -> str:
        """A Terraform test that plans the module."""
        source = f'module {{\n source = "./modules/{self.module}"\n }}' if self.module else ""
        lines = "\n".join(f"{name} = {value}" for name, value in (SETTINGS[self.module] | self.settings).items())
        return f"""
            mock_provider "aws" {{
              source = "./tests/mocks"
            }}
            run "plan" {{
              command = plan
              {source}
              variables {{
                {lines}
              }}
            }}
        """


def plans() -> list[Plan]:
    """As few as can be, for one plan says all that is wrong with different variables."""
    found: list[Plan] = []
    for module, name, value, message in VALUES:
        free = (one for one in found if one.module == module and name not in one.settings)
        plan = next(free, None)
        if plan is None:
            plan = Plan(module, {}, [])
            found.append(plan)
        plan.settings[name] = value
        plan.messages.append(message)
    return found + [Plan(module, settings, [message]) for module, settings, message in TOGETHER]


PLANS = plans()


@pytest.fixture(scope="module")
def refusals(module_copy: Path) -> dict[str, str]:
    """What Terraform says in each of the plans, by the file that asks for it."""
    folder = module_copy / "tests" / "wrong"
    folder.mkdir()
    for number, manifest in enumerate(('{ "sha256": "of another file" }', "[]", "not JSON")):
        (folder / f"{number}.zip").write_text("a package")
        (folder / f"{number}.json").write_text(manifest)
    # A file for each: behind the first run that fails, Terraform skips the others of its file.
    for number, plan in enumerate(PLANS):
        (folder / f"{number}.tftest.hcl").write_text(plan.test())
    terraform, options, lines = Terraform(module_copy), ("-test-directory=tests/wrong",), list[str]()
    terraform.init(*options)
    with pytest.raises(ToolError):
        terraform.run("test", "-json", *options, show=lines.append)
    said: dict[str, str] = defaultdict(str)
    for one in map(json.loads, lines):
        if "diagnostic" in one:
            said[Path(one["@testfile"]).name] += " ".join(one["diagnostic"]["detail"].split())
    return said


@pytest.mark.parametrize(
    ("number", "message"), [(number, message) for number, plan in enumerate(PLANS) for message in plan.messages]
)
def test_a_wrong_setting_is_refused_while_planning_with_what_to_do(
    refusals: dict[str, str], number: int, message: str
) -> None:
    assert message in refusals[f"{number}.tftest.hcl"]


def test_it_is_formatted_and_valid_also_without_a_built_function(module_copy: Path) -> None:
    assert Terraform(TERRAFORM).run("fmt", "-check", "-diff", "-recursive") == ""
    assert "The configuration is valid." in Terraform(module_copy).run("validate")


def test_the_lock_file_holds_for_what_is_installed(module_copy: Path) -> None:
    assert (module_copy / ".terraform.lock.hcl").read_bytes() == (TERRAFORM / ".terraform.lock.hcl").read_bytes()


@pytest.mark.parametrize("name", sorted(path.name for path in (TERRAFORM / "tests").glob("*.tftest.hcl")))
def test_the_modules_own_tests_pass(module_copy: Path, name: str) -> None:
    assert "0 failed." in Terraform(module_copy).run("test", f"-filter=tests/{name}")


@pytest.fixture(scope="module")
def needs(module_copy: Path) -> dict[str, set[str]]:
    """Each resource, and those that are made before it and destroyed after it."""
    direct: dict[str, set[str]] = {}
    for later, earlier in re.findall(r'"(\S+)" -> "(\S+)"', Terraform(module_copy).run("graph")):
        direct.setdefault(later, set()).add(earlier)

    def reached(resource: str) -> set[str]:
        return {resource}.union(*(reached(earlier) for earlier in direct.get(resource, ())))

    return {resource: reached(resource) - {resource} for resource in direct}


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        # An invocation before its role has the policy fails; one before the log group exists logs nowhere.
        ("function.aws_lambda_function.this", "function.aws_iam_role_policy_attachment.this"),
        ("function.aws_lambda_function.this", "function.aws_cloudwatch_log_group.this"),
        # Events come only when it is settled what becomes of those that fail, and S3 tries the permission out.
        ("function.aws_lambda_permission.source_bucket", "function.aws_lambda_function_event_invoke_config.this"),
        ("notification.aws_s3_bucket_notification.this", "function.aws_lambda_permission.source_bucket"),
        # Of a name that is taken IAM refuses the role; SQS would hand out another's queue.
        ("function.aws_sqs_queue.failures", "function.aws_iam_role.this"),
        ("function.aws_sqs_queue.undelivered", "function.aws_iam_role.this"),
        ("function.aws_cloudwatch_event_rule.uploads", "function.aws_iam_role.this"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_permission.eventbridge"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_lambda_function_event_invoke_config.this"),
        ("function.aws_cloudwatch_event_target.function", "function.aws_sqs_queue_policy.undelivered"),
        # CloudWatch overwrites another's alarm and dashboard of a name that is taken.
        ("monitoring.aws_cloudwatch_metric_alarm.this", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_metric_alarm.rejected_rate", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_dashboard.this", "function.aws_iam_role.this"),
        ("monitoring.aws_cloudwatch_log_metric_filter.this", "function.aws_cloudwatch_log_group.this"),
        # Nothing writes to a bucket that is still open, unencrypted or without versions.
        *(
            ("function.aws_lambda_function.this", f"{bucket}.aws_s3_bucket_{protection}.this")
            for bucket in ("source_bucket", "destination_bucket")
            for protection in (
                "ownership_controls",
                "policy",
                "public_access_block",
                "server_side_encryption_configuration",
                "versioning",
            )
        ),
        # S3 refuses two changes of a bucket's access at a time, and rules about versions where there are none.
        ("source_bucket.aws_s3_bucket_policy.this", "source_bucket.aws_s3_bucket_public_access_block.this"),
        ("source_bucket.aws_s3_bucket_lifecycle_configuration.this", "source_bucket.aws_s3_bucket_versioning.this"),
    ],
)
def test_it_is_made_in_the_order_that_aws_needs(needs: dict[str, set[str]], later: str, earlier: str) -> None:
    assert f"module.{earlier}" in needs[f"module.{later}"]


def test_it_is_a_module_without_provider_or_back_end() -> None:
    code = "\n".join(path.read_text() for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts)
    assert not re.search(r"^\s*(provider|backend|cloud)\s", code, re.MULTILINE)
