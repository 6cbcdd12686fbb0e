"""The module's own tests (``terraform test`` with a mocked provider), its order, and the words of its refusals."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.paths import TERRAFORM
from tools.terraform import Terraform

ROOT, FUNCTION, BUCKET, MONITORING = "", "function", "bucket", "monitoring"

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
    BUCKET: {},
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
ONE_BUCKET = {
    "source_bucket": '{ name = "one" }',
    "destination_bucket": '{ name = "one", prefix = "a/" }',
    "filters": '[{ prefix = "b/" }, { prefix = "a/" }]',
    "renditions": '{ thumb = { scale = 1, key = "t/{dir}{name}" } }',
}

HOW_TO_GET_ONE = (
    'In a clone, run "invoke build" first. Where the module comes from git it brings no zip: '
    'put one into a bucket of yours with "invoke publish --bucket NAME" and set package to what that prints.'
)

Wrong = tuple[str, dict[str, str], str]
"""A module, settings of which one is wrong, and what is said of it."""

VALUES: list[Wrong] = [
    (ROOT, {"destination_bucket": '"src-bucket-image-in"'}, "itself be an upload to resize, in an endless and costly"),
    (BUCKET, {"name": '"UPPER"'}, 'and begin and end with a letter or digit: "UPPER" is not.'),
    (BUCKET, {"name": '"a..bucket"'}, "no two dots in a row and not be an IP address"),
    (BUCKET, {"name": '"xn--bucket"'}, "choose another bucket name."),
    (BUCKET, {"name": '"bucket"', "kms_key_arn": '"alias/a"'}, "kms_key_arn must be the ARN of a key, arn:aws:kms:"),
    (FUNCTION, {"name": '"has spaces"'}, "name must be 1 to 59 letters, digits, hyphens and underscores"),
    (FUNCTION, {"package": "{}"}, 'package must have either path, the zip that "invoke build" made, or s3 with sha256'),
    (FUNCTION, {"package": '{ path = "./function" }'}, 'package.path must end in .zip: give the path that "invoke'),
    (
        FUNCTION,
        {"package": f"{{ {ZIP_IN_S3} }}"},
        'which needs all three: paste what "invoke publish --bucket NAME" prints',
    ),
    (
        FUNCTION,
        {"package": f'{{ {ZIP_IN_S3}, sha256 = "ee33", runtime = "python3.13", architecture = "arm64" }}'},
        "package.sha256 must be the zip's SHA-256 in base64, 44 characters",
    ),
    (
        FUNCTION,
        {"package": f'{{ {ZIP_IN_S3}, {SHA256}, runtime = "python3.11", architecture = "arm64" }}'},
        "package.runtime must be python3.12 or python3.13",
    ),
    (
        FUNCTION,
        {"package": f'{{ {ZIP_IN_S3}, {SHA256}, runtime = "python3.13", architecture = "aarch64" }}'},
        "package.architecture must be arm64 or x86_64.",
    ),
    (FUNCTION, {"trigger": '"sns"'}, "trigger must be s3, eventbridge or both."),
    (FUNCTION, {"filters": "[]"}, "filters must be 1 to 100 objects, as many as S3 has for a bucket: leave it out"),
    (
        FUNCTION,
        {"filters": '[{ suffix = "*.jpg" }]'},
        'is literal, and "*" is no wildcard: suffix = ".jpg" is for every',
    ),
    (FUNCTION, {"source_bucket": '{ name = "arn:aws:s3:::in" }'}, "source_bucket.name must be the bucket's name alone"),
    (FUNCTION, {"destination_bucket": '{ name = "s3://out" }'}, "destination_bucket.name must be the bucket's name"),
    (FUNCTION, {"source_bucket": '{ name = "in", prefix = "up" }'}, "source_bucket.prefix must be a folder: end in a"),
    (
        FUNCTION,
        {"destination_bucket": '{ name = "o", prefix = "/o/" }'},
        "destination_bucket.prefix must be a folder: end",
    ),
    (
        FUNCTION,
        {"source_bucket": '{ name = "in", kms_key_arn = "alias/a" }'},
        "source_bucket.kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias",
    ),
    (
        FUNCTION,
        {"destination_bucket": '{ name = "out", kms_key_arn = "alias/a" }'},
        "destination_bucket.kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias",
    ),
    (
        FUNCTION,
        {"kms_key_arns": '{ queues = "alias/a" }'},
        "Each of kms_key_arns must be the ARN of a key, arn:aws:kms:",
    ),
    (
        FUNCTION,
        {"kms_key_arns": '{ source_bucket = "arn:aws:kms:eu-west-2:123456789012:key/a" }'},
        "The buckets' keys belong into source_bucket.kms_key_arn and destination_bucket.kms_key_arn",
    ),
    (FUNCTION, {"role": '{ path = "images" }'}, 'role.path must begin and end with a slash, such as "/images/".'),
    (
        FUNCTION,
        {"role": '{ permissions_boundary_arn = "b" }'},
        "permissions_boundary_arn must be the ARN of a policy, arn:",
    ),
    (
        FUNCTION,
        {"function": "{ memory_size = 64 }"},
        "function.memory_size must be a whole number of MiB from 256, below which there is no room for an image",
    ),
    (FUNCTION, {"function": "{ timeout = 0 }"}, "function.timeout must be a whole number of seconds from 1 to 900"),
    (
        FUNCTION,
        {"function": "{ ephemeral_storage_size = 511 }"},
        "function.ephemeral_storage_size must be a whole number of MiB from 512 to 10240",
    ),
    (
        FUNCTION,
        {"function": "{ reserved_concurrent_executions = -1 }"},
        "function.reserved_concurrent_executions must be a whole number from 0, which stops the function, or null",
    ),
    (
        FUNCTION,
        {"function": "{ vpc = { subnet_ids = [], security_group_ids = [] } }"},
        'function.vpc must have 1 to 16 subnet_ids, such as "subnet-0a1b", and 1 to 5 security_group_ids',
    ),
    (FUNCTION, {"metadata": '"some"'}, "metadata must be none, copyright or all."),
    (FUNCTION, {"max_pixels": "0"}, "max_pixels must be a whole number from 1"),
    (
        FUNCTION,
        {"asynchronous": "{ maximum_retry_attempts = 3 }"},
        "asynchronous.maximum_retry_attempts must be 0, 1 or 2",
    ),
    (
        FUNCTION,
        {"asynchronous": "{ maximum_event_age_in_seconds = 1 }"},
        "asynchronous.maximum_event_age_in_seconds must be a whole number from 60 to 21600 (6 hours)",
    ),
    (FUNCTION, {"log_retention_days": "2"}, "log_retention_days must be one that CloudWatch Logs has: 0, 1, 3,"),
    (
        FUNCTION,
        {"tags": '{ "aws:team" = "images" }'},
        'No key in tags may begin with "aws:", which AWS keeps for itself',
    ),
    (FUNCTION, {"tags": "{ team = null }"}, "tags must be at most 50, each with a key of 1 to 128 characters"),
    (
        FUNCTION,
        {"kms_key_arns": '{ queues = "arn:aws:kms:eu-west-2:123456789012:key/*" }'},
        "Each of kms_key_arns must",
    ),
    (
        FUNCTION,
        {"package": f'{{ s3 = {{ bucket = "s3://artifacts", key = "a.zip" }}, {SHA256} }}'},
        "package.s3.bucket must be the bucket's name alone, and package.s3.key the object's key",
    ),
    (FUNCTION, {"renditions": "{}"}, "renditions must name at least one, such as { resized = { scale = 0.5 } }."),
    *(
        (FUNCTION, {"renditions": renditions}, message)
        for renditions, message in (
            ("{ a = null }", "Each of renditions must be an object such as { scale = 0.5 }, not null."),
            (
                '{ "Upper/Case" = { scale = 1 } }',
                "Each name in renditions must be lower-case letters, digits and single",
            ),
            ("{ a = { scale = 2 } }", "Each scale in renditions must be from 0.0001 to 1: nothing is enlarged."),
            ("{ a = { scale = 1, width = 1 } }", "Each of renditions must set either scale, or width, height or both."),
            (
                "{ a = { width = 0 } }",
                "Each width and height in renditions must be a whole number of pixels from 1 to 65535",
            ),
            ('{ a = { width = 1, fit = "fill" } }', 'Each fit in renditions must be "inside", or "cover" with both'),
            ('{ a = { width = 1, format = "gif" } }', "Each format in renditions must be jpeg, png, webp or avif"),
            ("{ a = { width = 1, quality = 0 } }", "Each quality in renditions must be a whole number from 1 to 100"),
            (
                '{ a = { width = 1, background = "red" } }',
                'Each background in renditions must be a colour such as "#ff',
            ),
            ('{ a = { width = 1, cache_control = "é" } }', "Each cache_control in renditions must be printable ASCII"),
            ('{ a = { width = 1, storage_class = "GLACIER" } }', "Each storage_class in renditions must be STANDARD,"),
            (
                '{ a = { width = 1, key = "{name}" } }',
                "Each key in renditions must hold {dir} once and then {name} once",
            ),
        )
    ),
    *(
        (MONITORING, {name: value}, message)
        for name, value, message in (
            (
                "alarm_topic_arn",
                '"alarms"',
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
            ("runbook", '"runbook.md#top"', 'without blanks and without "#": each alarm adds its own heading.'),
            ("undelivered_queue_name", '"arn:aws:sqs:a"', "undelivered_queue_name must be the queue's name alone, no"),
            ("thresholds", "{ errors = 0 }", "thresholds.errors must be a whole number of failed invocations from 1."),
            (
                "thresholds",
                "{ throttled_minutes = 7 }",
                "thresholds.throttled_minutes must be a multiple of 5 from 5 to",
            ),
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
"""What a variable alone can refuse."""

TOGETHER: list[Wrong] = [
    (
        FUNCTION,
        {"filters": '[{ prefix = "a/" }, { prefix = "b/" }, { prefix = "a/b/", suffix = ".jpg" }]'},
        'Two filters could fit one key ({"prefix":"a/","suffix":""} and {"prefix":"a/b/","suffix":".jpg"}), which S3',
    ),
    (
        FUNCTION,
        ONE_BUCKET,
        'an endless and costly loop (thumb writes below "a/t/" and uploads are resized below "a/"): give source_bucket',
    ),
    (
        FUNCTION,
        {
            "source_bucket": '{ name = "one" }',
            "destination_bucket": '{ name = "one" }',
            "filters": '[{ prefix = "b" }]',
            "renditions": '{ thumb = { scale = 1, key = "t/{dir}{name}" } }',
            "batch_operations": "true",
        },
        'of jobs below "batch-operations/Lambda-image/" would be uploads (resized below "b"): give source_bucket',
    ),
    (
        FUNCTION,
        {"renditions": "{ a = { scale = 1 }, a-b = { scale = 1 }, c = { scale = 1 } }"},
        "Two renditions could write one key (a and a-b)",
    ),
    (
        FUNCTION,
        {"renditions": '{ for i in range(40) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }'},
        "bytes, and Lambda has 4096 for all environment variables: use fewer renditions, or shorter keys.",
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


def grouped(cases: Iterable[Wrong]) -> list[tuple[str, dict[str, str]]]:
    """Cases of one module and of different settings in one plan, which says all that is wrong with it."""
    groups: list[tuple[str, dict[str, str]]] = []
    for module, settings, _ in cases:
        for other, together in groups:
            if module == other and together.keys().isdisjoint(settings):
                together.update(settings)
                break
        else:
            groups.append((module, dict(settings)))
    return groups


def plan(module: str, settings: dict[str, str]) -> str:
    """A Terraform test that plans a module."""
    source = f'module {{\n source = "./modules/{module}"\n }}' if module else ""
    lines = "\n".join(f"{name} = {value}" for name, value in (SETTINGS[module] | settings).items())
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


@pytest.fixture(scope="module")
def refusals(module_copy: Path) -> str:
    """What Terraform says while planning all of the wrong settings."""
    folder = module_copy / "tests" / "wrong"
    folder.mkdir()
    for number, manifest in enumerate(('{ "sha256": "of another file" }', "[]", "not JSON")):
        (folder / f"{number}.zip").write_text("a package")
        (folder / f"{number}.json").write_text(manifest)
    # A file for each: behind the first run that fails, Terraform skips the others of its file.
    for number, (module, settings) in enumerate(grouped(VALUES) + grouped(TOGETHER)):
        (folder / f"{number}.tftest.hcl").write_text(plan(module, settings))
    terraform, options = Terraform(module_copy), ("-test-directory=tests/wrong",)
    terraform.init(*options)
    with pytest.raises(ToolError) as refused:
        terraform.run("test", *options)
    return str(refused.value)


@pytest.mark.parametrize("message", [message for _, _, message in VALUES + TOGETHER])
def test_a_wrong_setting_is_refused_while_planning_with_what_to_do(refusals: str, message: str) -> None:
    assert message in refusals


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
