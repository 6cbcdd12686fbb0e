"""Literals in Terraform's language have their exact values, and expressions are refused."""

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
"""


def test_literals_are_read() -> None:
    assert hcl.literals(LITERALS, "x.tfvars") == {
        "number": 1600,
        "fraction": -0.25,
        "whole": -3,
        "words": [True, False, None],
        "text": '{dir}"é"\t\\n ${x} %{y}',
        "nothing": "",
        "object": {"web": {"width": 1600, "a-b": []}, "tile": {}},
    }
    assert type(hcl.literals(LITERALS, "x.tfvars")["number"]) is int


def test_written_literals_are_read_back() -> None:
    value = {
        "scale": 0.5,
        "width": 1600,
        "on": True,
        "nothing": None,
        "empty": {},
        "list": [320, "avif", []],
        "2x": {"text": '"é"\\\t\b ${x} %{y} $x {z} \\u0041'},
    }
    written = hcl.write_literal(value)
    assert "\n" not in written
    assert hcl.literals(f"value = {written}\n", "x.tfvars") == {"value": value}


@pytest.mark.parametrize(
    "expression", ["max(1, 2)", "var.x", '"x${1}"', '"%{ if true }x%{ endif }"', "[for x in []: x]", "{ a = local.b }"]
)
def test_an_expression_is_refused(expression: str) -> None:
    with pytest.raises(ToolError, match=r"^x\.tfvars: size has the expression `.*`: write its value$"):
        hcl.literals(f"size = {expression}\n", "x.tfvars")


def test_an_argument_that_is_set_twice_is_refused_but_not_an_attribute_of_an_object() -> None:
    with pytest.raises(ToolError, match=r"^x\.tfvars: size is set 3 times, but Terraform allows one: keep one$"):
        hcl.literals("size = 1\nsize = 2\nname = 3\nsize = 4\n", "x.tfvars")
    assert hcl.literals("size = { a = 1, a = 2 }\n", "x.tfvars") == {"size": {"a": 2}}


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(ToolError, match=r"^x\.tfvars: line 2 is not HCL"):
        hcl.literals("size = 1\nsize = = 2\n", "x.tfvars")
