"""Evaluates policies as AWS does; moto treats patterns, conditions and principals differently."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.iam.access_control import PermissionResult


def matches(pattern: str, value: str, flags: int = 0) -> bool:
    """Whether a pattern matches: ``*`` and ``?`` are wildcards, everything else is literal."""
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
    """Evaluate one statement.

    Args:
        statement: A statement of an identity policy, or of a resource policy, which names principals.
        action: Such as ``s3:GetObject``.
        resource: The ARN.
        callers: All ARNs of the caller.
        context: The request's condition keys, in lower case, and their values.

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


@dataclass(frozen=True)
class Service:
    """An AWS service that acts for a resource.

    Attributes:
        name: Such as ``s3.amazonaws.com``.
        source_arn: The ARN of the bucket or rule that it acts for.
        account_id: That resource's account.

    """

    name: str
    source_arn: str
    account_id: str


def permits(statements: Any, service: Service, action: str, resource: str) -> bool:
    """Whether a resource policy allows a service an action, and does not deny it; moto does not check it.

    Args:
        statements: One or several, of the policy of a function or a queue.
        service: The caller.
        action: Such as ``lambda:InvokeFunction``.
        resource: The ARN of the function or the queue.

    """
    context = {"aws:sourcearn": service.source_arn, "aws:sourceaccount": service.account_id}
    effects = {
        statement["Effect"]
        for statement in as_list(statements)
        if _names_service(statement.get("Principal"), service.name)
        and applies(statement, "Action", action, re.IGNORECASE)
        and applies(statement, "Resource", resource)
        and conditions_met(statement.get("Condition", {}), context)
    }
    return effects == {"Allow"}


def trusts(document: dict[str, Any], service: str) -> bool:
    """Whether a role's trust policy allows an AWS service to assume it."""
    effects = {
        statement["Effect"]
        for statement in as_list(document["Statement"])
        if service in as_list(statement.get("Principal", {}).get("Service", []))
        and applies(statement, "Action", "sts:AssumeRole", re.IGNORECASE)
    }
    return effects == {"Allow"}


def as_list(value: Any) -> list[Any]:
    """Return a list; a policy may have a single value in its place."""
    return value if isinstance(value, list) else [value]


def applies(statement: dict[str, Any], element: str, value: str, flags: int = 0) -> bool:
    """Whether a statement's ``Action`` or ``Resource``, or ``NotAction`` or ``NotResource``, applies to a value."""
    if f"Not{element}" in statement:
        return not any(matches(pattern, value, flags) for pattern in as_list(statement[f"Not{element}"]))
    return any(matches(pattern, value, flags) for pattern in as_list(statement.get(element, [])))


def _names(principal: Any, callers: frozenset[str]) -> bool:
    if principal == "*":
        return True
    return not {"*", *callers}.isdisjoint(as_list(principal.get("AWS", [])))


def _names_service(principal: Any, service: str) -> bool:
    """Whether a statement applies to a service: by its name, or to everyone."""
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return service in as_list(principal.get("Service", [])) or "*" in as_list(principal.get("AWS", []))


def conditions_met(conditions: dict[str, dict[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether a request meets all conditions.

    Loopback counts as TLS, because nobody can intercept it. An unknown condition key is never met, so its statement has
    no effect.
    """
    known = {"aws:securetransport": "true", **context}
    return all(
        key.lower() in known and _is_met(operator, as_list(value), known[key.lower()])
        for operator, keys in conditions.items()
        for key, value in keys.items()
    )


def _is_met(operator: str, wanted: list[Any], value: str) -> bool:
    """Whether a value meets a condition; an unknown operator is never met."""
    positive = operator.replace("NotEquals", "Equals").replace("NotLike", "Like")
    if positive not in OPERATORS:
        return False
    return any(OPERATORS[positive](str(one), value) for one in wanted) == (positive == operator)
