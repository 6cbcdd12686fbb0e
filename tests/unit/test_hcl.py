"""Literals of Terraform's language: read exactly, and nothing else taken for one."""

import pytest

from tools.common import hcl
from tools.common.errors import ToolError

LITERALS = r"""
# A comment.
number   = 1.6e3
fraction = -0.25
whole    = - 3
words    = [true, false, null] // another
text     = "{dir}\"é\"\t\\n $${x} %%{y}"
nothing  = ""
object = { web = { width = 1600, "a-b" : [] }
  tile = {}, }
ignored = file("x")
"""


def test_a_literal_is_read_as_json_would_have_it() -> None:
    names = ["number", "fraction", "whole", "words", "text", "nothing", "object", "missing"]
    assert hcl.literals(LITERALS, "x.tfvars", names) == {
        "number": 1600,
        "fraction": -0.25,
        "whole": -3,
        "words": [True, False, None],
        "text": '{dir}"é"\t\\n ${x} %{y}',
        "nothing": "",
        "object": {"web": {"width": 1600, "a-b": []}, "tile": {}},
    }
    assert type(hcl.literals(LITERALS, "x.tfvars", ["number"])["number"]) is int


@pytest.mark.parametrize(
    "expression", ["max(1, 2)", "var.x", '"x${1}"', '"%{ if true }x%{ endif }"', "[for x in []: x]", "{ a = local.b }"]
)
def test_what_has_to_be_evaluated_is_refused(expression: str) -> None:
    with pytest.raises(ToolError, match=r"^x\.tfvars: size holds `.*`: write out what it comes to$"):
        hcl.literals(f"size = {expression}\n", "x.tfvars", ["size"])


def test_what_is_no_hcl_is_refused_with_its_line() -> None:
    with pytest.raises(ToolError, match=r"^x\.tfvars: its line 2 is not HCL"):
        hcl.literals("size = 1\nsize = = 2\n", "x.tfvars", ["size"])
