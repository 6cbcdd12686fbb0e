"""Whether a resource's own policy lets a service of AWS use it on behalf of another resource; moto does not ask."""

from collections.abc import Iterable
from typing import Any

from tools.local_aws.policy import listed, matches

OPERATORS = {"ArnEquals", "ArnLike", "StringEquals", "StringLike"}


def permits(statements: Iterable[dict[str, Any]], service: str, action: str, source_arn: str, account_id: str) -> bool:
    """Whether one of a policy's statements allows it.

    Args:
        statements: Of the policy of a function or a queue.
        service: Such as ``s3.amazonaws.com``.
        action: Such as ``lambda:InvokeFunction``.
        source_arn: What the service does it for: a bucket or a rule.
        account_id: Whose that is.

    """
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": account_id}
    return any(
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": service}
        and any(matches(pattern, action) for pattern in listed(statement["Action"]))
        and _conditions_met(statement.get("Condition", {}), context)
        for statement in statements
    )


def _conditions_met(conditions: dict[str, dict[str, Any]], context: dict[str, str]) -> bool:
    return all(
        operator in OPERATORS and any(matches(pattern, context.get(key.lower(), "")) for pattern in listed(value))
        for operator, keys in conditions.items()
        for key, value in keys.items()
    )
