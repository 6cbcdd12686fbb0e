"""Evaluates metric filters and metric math as CloudWatch does, as far as the module uses them."""

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


def select(selector: str, line: Mapping[str, Any]) -> Any:
    """Return the value of a selector such as ``$.a.b`` in a line, or None if the line lacks the field."""
    found: Any = line
    for name in selector.removeprefix("$.").split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def find_selectors(pattern: str) -> set[str]:
    """Return the selectors in a pattern, such as ``$.a.b``."""
    return set(re.findall(r"\$\.[\w.]+", pattern))


def matches(pattern: str, line: Mapping[str, Any]) -> bool:
    """Tell whether a JSON pattern matches a line.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

    Raises:
        SyntaxError, ValueError: The pattern is wrong, or uses syntax that this module does not know.

    """
    inner = re.fullmatch(r"\{ (.*) \}", pattern)
    if inner is None or len(pattern) > 1024:
        raise ValueError(f"not a JSON pattern: {pattern}")
    # Python's operators have CloudWatch's precedence. Each selector becomes a name.
    text = inner[1].replace("&&", " and ").replace("||", " or ").replace(" = ", " == ")
    fields = {re.sub(r"\W", "_", one): select(one, line) for one in find_selectors(text)}
    text = re.sub(r"\$\.[\w.]+", lambda found: re.sub(r"\W", "_", found[0]), text)
    return bool(_value(ast.parse(text, mode="eval").body, fields))


def publish(metric_filter: Mapping[str, Any], line: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the dimensions and the value that a filter publishes for a line, if any."""
    (metric,) = metric_filter["metric_transformation"]
    if matches(metric_filter["pattern"], line):
        value = metric["value"]
        dimensions = {name: select(one, line) for name, one in (metric["dimensions"] or {}).items()}
        yield dimensions, select(value, line) if value.startswith("$") else float(value)


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Return the value of a metric math expression, or None without data.

    Raises:
        SyntaxError, KeyError, ValueError: The expression is wrong, names a missing metric, or uses unknown syntax.

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
    raise ValueError(f"{ast.unparse(node)} is syntax that this module does not know")
