"""What a policy says of a request, as AWS reads it; moto reads patterns, conditions and principals otherwise."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.iam.access_control import PermissionResult


def matches(pattern: str, value: str, flags: int = 0) -> bool:
    """Whether a pattern fits: ``*`` and ``?`` are wildcards and all else is literal."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL | flags) is not None


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda wanted, value: wanted.lower() == value,
    "BoolIfExists": lambda wanted, value: wanted.lower() == value,
    "StringEquals": lambda wanted, value: wanted == value,
    "StringLike": matches,
}
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""


def decide(
    statement: dict[str, Any],
    action: str,
    resource: str,
    callers: frozenset[str],
    context: Mapping[str, str] | None = None,
) -> PermissionResult:
    """Tell what a statement says.

    Args:
        statement: Of an identity's policy, or of a resource's, which names principals.
        action: Such as ``s3:GetObject``.
        resource: Its ARN.
        callers: The ARNs that whoever asks is known by.
        context: What else is known of the request: condition keys in lower case to values.

    """
    is_about_it = (
        _names(statement.get("Principal", "*"), callers)
        and applies(statement, "Action", action, re.IGNORECASE)
        and applies(statement, "Resource", resource)
        and conditions_met(statement.get("Condition", {}), context or {})
    )
    if not is_about_it:
        return PermissionResult.NEUTRAL
    return PermissionResult.PERMITTED if statement["Effect"] == "Allow" else PermissionResult.DENIED


def trusts(document: dict[str, Any], service: str) -> bool:
    """Whether a role's trust policy lets a service of AWS assume it."""
    effects = {
        statement["Effect"]
        for statement in listed(document["Statement"])
        if service in listed(statement.get("Principal", {}).get("Service", []))
        and applies(statement, "Action", "sts:AssumeRole", re.IGNORECASE)
    }
    return effects == {"Allow"}


def listed(value: Any) -> list[Any]:
    """A list of what a policy may give as one value or as a list of them."""
    return value if isinstance(value, list) else [value]


def applies(statement: dict[str, Any], element: str, value: str, flags: int = 0) -> bool:
    """Whether a statement's ``Action`` or ``Resource``, or what it says it is not, fits."""
    if f"Not{element}" in statement:
        return not any(matches(pattern, value, flags) for pattern in listed(statement[f"Not{element}"]))
    return any(matches(pattern, value, flags) for pattern in listed(statement.get(element, [])))


def _names(principal: Any, callers: frozenset[str]) -> bool:
    if principal == "*":
        return True
    return not {"*", *callers}.isdisjoint(listed(principal.get("AWS", [])))


def conditions_met(conditions: dict[str, dict[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether all conditions are met.

    What is on loopback cannot be overheard, so it counts as TLS. What is not known of a request meets no condition: its
    statement is as if it were not there.
    """
    known = {"aws:securetransport": "true", **context}
    return all(
        operator in OPERATORS
        and key.lower() in known
        and any(OPERATORS[operator](str(one), known[key.lower()]) for one in listed(value))
        for operator, keys in conditions.items()
        for key, value in keys.items()
    )
