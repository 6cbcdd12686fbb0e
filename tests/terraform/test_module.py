"""The module's own tests (``terraform test`` with a mocked provider), and the words of its plan-time errors."""

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


def plan(**settings: str) -> str:
    """A test that plans the pipeline with ``settings`` and expects no failure."""
    lines = "\n".join(f"{name} = {value}" for name, value in (SETTINGS | settings).items())
    return f"""
        mock_provider "aws" {{
          source = "./tests/mocks"
        }}
        variables {{
          {lines}
        }}
        run "plan" {{
          command = plan
        }}
    """


@pytest.mark.parametrize("name", sorted(path.name for path in (TERRAFORM / "tests").glob("*.tftest.hcl")))
def test_the_modules_own_tests_pass(module_copy: Path, name: str) -> None:
    assert "0 failed." in Terraform(module_copy).run("test", "-no-color", f"-filter=tests/{name}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("package", '{ path = "./function.zip" }', r'No built function at \./function\.zip.* Run "invoke build" first'),
        ("destination_bucket", '"src-bucket-image-in"', "must differ from source_bucket: .* endless and costly loop"),
        ("source_bucket", '"UPPER"', "source_bucket must be 3 to 63 lower-case"),
        ("memory_size", "64", "memory_size must be a whole number from 256"),
        ("renditions", "{ a = {}, a-b = {} }", "would have two sources. Rename one of them"),
    ],
)
def test_a_wrong_setting_is_refused_while_planning_with_what_to_do(
    module_copy: Path, name: str, value: str, message: str
) -> None:
    (module_copy / "tests" / "wrong.tftest.hcl").write_text(plan(**{name: value}))
    with pytest.raises(ToolError, match=message):
        Terraform(module_copy).run("test", "-no-color", "-filter=tests/wrong.tftest.hcl")
