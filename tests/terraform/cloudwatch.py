"""What CloudWatch makes of metric filters and of metric math, as far as we use them."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Div: operator.truediv,
    ast.Eq: operator.eq,
    ast.GtE: operator.ge,
    ast.Mult: operator.mul,
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "FILL": lambda values, other: other if values is None else values,
    "IF": lambda condition, one, other: None if condition is None else one if condition else other,
    "SUM": lambda many: sum(one for one in many if one is not None),
}
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""


def selected(selector: str, line: Mapping[str, Any]) -> Any:
    """What a selector such as ``$.a.b`` means in a line; None where there is no such field."""
    found: Any = line
    for name in selector.removeprefix("$.").split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def selectors(pattern: str) -> set[str]:
    """The fields that a pattern asks for, such as ``$.a.b``."""
    return set(re.findall(r"\$\.[\w.]+", pattern))


def fits(pattern: str, line: Mapping[str, Any]) -> bool:
    """Whether a pattern for JSON is for this line.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

    Raises:
        SyntaxError, ValueError: It is none, or more than is known here.

    """
    inner = re.fullmatch(r"\{ (.*) \}", pattern)
    if inner is None or len(pattern) > 1024:
        raise ValueError(f"no pattern for JSON: {pattern}")
    # Python's own expressions bind as CloudWatch's do, and read each selector as a name.
    text = inner[1].replace("&&", " and ").replace("||", " or ").replace(" = ", " == ")
    fields = {re.sub(r"\W", "_", one): selected(one, line) for one in selectors(text)}
    text = re.sub(r"\$\.[\w.]+", lambda found: re.sub(r"\W", "_", found[0]), text)
    return bool(_value(ast.parse(text, mode="eval").body, fields))


def published(metric_filter: Mapping[str, Any], line: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """What a filter makes of a line: dimensions and a value, or nothing."""
    (metric,) = metric_filter["metric_transformation"]
    if fits(metric_filter["pattern"], line):
        value = metric["value"]
        dimensions = {name: selected(one, line) for name, one in (metric["dimensions"] or {}).items()}
        yield dimensions, selected(value, line) if value.startswith("$") else float(value)


def reckoned(expression: str, values: Mapping[str, float | None]) -> float | None:
    """The value of an expression of metric math; None where there is no data.

    Raises:
        SyntaxError, KeyError, ValueError: It is none, or names what is not there, or is more than is known here.

    """
    found: float | None = _value(ast.parse(expression, mode="eval").body, values)
    return found


def _value(node: ast.AST, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.List(elts=elements):
            return [_value(one, names) for one in elements]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*(_value(one, names) for one in arguments))
        case ast.BoolOp(op=how, values=parts):
            return (all if isinstance(how, ast.And) else any)(_value(one, names) for one in parts)
        case ast.BinOp(left=one, op=how, right=other) | ast.Compare(left=one, ops=[how], comparators=[other]):
            left, right = _value(one, names), _value(other, names)
            return None if left is None or right is None else OPERATORS[type(how)](left, right)
    raise ValueError(f"{ast.unparse(node)} is more than is known here")
