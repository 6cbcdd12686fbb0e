"""The inputs and outputs of a module as Markdown: what is shown is what is written, and nothing breaks a table."""

from pathlib import Path

import pytest

from tools.common import marks
from tools.common.errors import ToolError
from tools.dev import module_docs

BEGIN, END = marks.places(module_docs.PLACE)

VARIABLES = r"""
# Not sorted, and not all in one form.
variable "sizes" {
  type = map(object({
    side   = optional(number) # in pixels
    nested = optional(object({ a = string }), { a = "x|y" })
  }))
  description = <<-EOT
    Sides, by name:
    <all> of *them*, as `a | <b>`.

    Nothing else.
  EOT
  default = {
    half = { side = 0.5 }
  }
  nullable = false
}

variable "words" {
  type        = list(string)
  description = "Such as \"a\"."
  default     = ["a|b", "`"]
}

variable "count_of" {
  type        = number
  description = "How many."
  default     = null
}

variable "zone" {
  type        = string
  description = "Where."
  nullable    = false

  validation {
    condition     = var.zone == "a" || var.zone == "b"
    error_message = "a or b."
  }
}
"""

OUTPUTS = """
output "b" {
  description = "The second."
  value       = var.zone
}

output "a" {
  description = "The first."
  value       = var.zone == "a" ? 1 : 2
}
"""

SECTION = r"""## Inputs

| name | type | default | description |
| --- | --- | --- | --- |
| `zone` | `string` | required | Where. |
| `count_of` | `number` | `null` | How many. |
| `sizes` | <pre>map(object({<br>  side   = optional(number) # in pixels<br>  nested = optional(object({ a = string }), { a = "x&#124;y" })<br>}))</pre> | <pre>{<br>  half = { side = 0.5 }<br>}</pre> | Sides, by name: \<all> of \*them\*, as `a \| <b>`.<br><br>Nothing else. |
| `words` | `list(string)` | <pre>["a&#124;b", "&#96;"]</pre> | Such as "a". |

## Outputs

| name | description |
| --- | --- |
| `a` | The first. |
| `b` | The second. |"""  # noqa: E501 - a row is one line


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text(OUTPUTS)
    return tmp_path


def test_all_is_shown_as_it_is_written_in_cells_that_hold(module: Path) -> None:
    assert module_docs.section(module) == SECTION


def test_a_module_without_outputs_has_no_table_of_them(module: Path) -> None:
    (module / "outputs.tf").unlink()
    assert module_docs.section(module) == SECTION.partition("\n\n## Outputs")[0]


def test_only_what_is_between_the_two_lines_is_renewed(module: Path) -> None:
    (module / "README.md").write_text(f"# Title\n\n{BEGIN}\nOld.\n{END}\n\nMore.\n")
    text = module_docs.renewed(module)
    assert text == f"# Title\n\n{BEGIN}\n\n{SECTION}\n\n{END}\n\nMore.\n"
    (module / "README.md").write_text(text)
    assert module_docs.renewed(module) == text


def test_only_a_readme_that_changes_is_written(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_docs, "MODULES", (module,))
    (module / "README.md").write_text(f"{BEGIN}\n{END}\n")
    assert module_docs.renew() == [module / "README.md"]
    assert SECTION in (module / "README.md").read_text()
    assert module_docs.renew() == []


@pytest.mark.parametrize("text", [None, "# Title\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_a_place_for_them_is_an_error_that_says_so(module: Path, text: str | None) -> None:
    if text is not None:
        (module / "README.md").write_text(text)
    with pytest.raises(ToolError, match=r"README\.md must hold the lines <!-- inputs and .* put them where what"):
        module_docs.renewed(module)


def test_what_is_not_hcl_is_an_error_that_names_the_file_and_its_line(module: Path) -> None:
    (module / "outputs.tf").write_text('output "a" {\n  value = \n}\n')
    with pytest.raises(ToolError, match=r"outputs\.tf: its line 2 is not HCL; `terraform fmt` says what is wrong"):
        module_docs.section(module)


def test_only_an_input_that_says_so_is_never_null(module: Path) -> None:
    nullable = {one.name: one.nullable for one in module_docs.inputs(module)}
    assert nullable == {"sizes": False, "words": True, "count_of": True, "zone": False}
