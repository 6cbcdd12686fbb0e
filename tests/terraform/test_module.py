"""The module's own tests (``terraform test`` with a mocked provider), its order, and the words of its refusals."""

import re
from pathlib import Path

import pytest

from tools.errors import ToolError
from tools.paths import TERRAFORM
from tools.terraform import Terraform

SETTINGS = {
    "source_bucket": '"src-bucket-image-in"',
    "destination_bucket": '"dest-bucket-image-out"',
    "package": '{ path = "./tests/package/function.zip" }',
}

WRONG = {
    "source_bucket": '"UPPER"',
    "destination_bucket": '"UPPER"',
    "name": '"has spaces"',
    "package": '{ path = "./function" }',
    "metadata": '"some"',
    "max_pixels": "0",
    "renditions": """{
      "Upper/Case" = { scale = 2 }
      both         = { scale = 1, width = 0 }
      odd          = { width = 1, fit = "fill", format = "gif", quality = 0, background = "red", key = "{name}" }
      slow         = { width = 1, storage_class = "GLACIER" }
    }""",
    "memory_size": "64",
    "timeout": "0",
    "asynchronous": "{ maximum_retry_attempts = 3, maximum_event_age_in_seconds = 1 }",
    "log_retention_days": "2",
    "tags": '{ "aws:team" = "images" }',
}
"""Every variable that has rules, breaking them; what the root module does not pass on would not be refused."""


def refusal(module: Path, settings: dict[str, str]) -> str:
    """Plan the pipeline and return why that is refused."""
    lines = "\n".join(f"{name} = {value}" for name, value in (SETTINGS | settings).items())
    (module / "tests" / "wrong.tftest.hcl").write_text(f"""
        mock_provider "aws" {{
          source = "./tests/mocks"
        }}
        run "plan" {{
          command = plan
          variables {{
            {lines}
          }}
        }}
    """)
    with pytest.raises(ToolError) as caught:
        Terraform(module).run("test", "-filter=tests/wrong.tftest.hcl")
    return str(caught.value)


@pytest.fixture(scope="module")
def everything_refused(module_copy: Path) -> str:
    return refusal(module_copy, WRONG)


def test_it_is_formatted_and_valid_also_without_a_built_function(module_copy: Path) -> None:
    assert Terraform(TERRAFORM).run("fmt", "-check", "-diff", "-recursive") == ""
    assert "The configuration is valid." in Terraform(module_copy).run("validate")


def test_the_lock_file_holds_for_what_is_installed(module_copy: Path) -> None:
    assert (module_copy / ".terraform.lock.hcl").read_bytes() == (TERRAFORM / ".terraform.lock.hcl").read_bytes()


@pytest.mark.parametrize("name", sorted(path.name for path in (TERRAFORM / "tests").glob("*.tftest.hcl")))
def test_the_modules_own_tests_pass(module_copy: Path, name: str) -> None:
    assert "0 failed." in Terraform(module_copy).run("test", f"-filter=tests/{name}")


@pytest.mark.parametrize(
    "message",
    [
        "itself be an upload to resize, in an endless and costly loop.",
        'begin and end with a letter or digit: "UPPER" is not.',
        "name must be 1 to 59 letters, digits, hyphens and underscores",
        'package.path must end in .zip: give the path that "invoke build" printed.',
        "Each name in renditions must be lower-case letters, digits and single hyphens",
        "Each scale in renditions must be above 0 and at most 1: nothing is enlarged.",
        "Each of renditions must set either scale, or width, height or both.",
        "Each width and height in renditions must be a whole number of pixels from 1.",
        'Each fit in renditions must be "inside", or "cover" with both width and height.',
        "Each format in renditions must be jpeg, png, webp or avif",
        "Each quality in renditions must be a whole number from 1 to 100",
        'Each background in renditions must be a colour such as "#ffffff".',
        "Each storage_class in renditions must be STANDARD, STANDARD_IA",
        "Each key in renditions must hold {dir} once and then {name} once",
        "metadata must be none, copyright or all.",
        "max_pixels must be a whole number from 1",
        "memory_size must be a whole number of MiB from 128 to 10240",
        "timeout must be a whole number of seconds from 1 to 900",
        "asynchronous.maximum_retry_attempts must be 0, 1 or 2",
        "asynchronous.maximum_event_age_in_seconds must be a whole number from 60 to 21600 (6 hours)",
        "log_retention_days must be one that CloudWatch Logs has: 0, 1, 3,",
        'No key in tags may begin with "aws:", which AWS keeps for itself: rename it.',
    ],
)
def test_a_wrong_setting_is_refused_while_planning_with_what_to_do(everything_refused: str, message: str) -> None:
    assert message in everything_refused


def test_renditions_that_could_write_one_key_are_refused_by_name(module_copy: Path) -> None:
    message = refusal(module_copy, {"renditions": "{ a = { scale = 1 }, a-b = { scale = 1 }, c = { scale = 1 } }"})
    assert "Two renditions could write one key (a and a-b)" in message


@pytest.mark.parametrize("path", ["./../dist/function.zip", "./tests/none/function.zip"])
def test_without_a_built_function_planning_says_what_to_run(module_copy: Path, path: str) -> None:
    package = "{}" if "dist" in path else f'{{ path = "{path}" }}'
    assert f'No built function at {path}, or the manifest beside it is another\'s. Run "invoke build" first.' in (
        refusal(module_copy, {"package": package})
    )


@pytest.mark.parametrize("manifest", ['{ "sha256": "of another file" }', "[]", "not JSON"])
def test_a_package_that_its_manifest_does_not_describe_is_refused(module_copy: Path, manifest: str) -> None:
    folder = module_copy / "tests" / "other"
    folder.mkdir(exist_ok=True)
    (folder / "function.zip").write_text("a package")
    (folder / "function.json").write_text(manifest)
    assert 'the manifest beside it is another\'s. Run "invoke build" first.' in (
        refusal(module_copy, {"package": '{ path = "./tests/other/function.zip" }'})
    )


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
