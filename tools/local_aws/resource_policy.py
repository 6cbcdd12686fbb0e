"""Whether a resource's own policy lets a service of AWS use it on behalf of another resource; moto does not ask."""

from collections.abc import Iterable
from typing import Any

from tools.local_aws.policy import conditions_met, listed, matches


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
        and conditions_met(statement.get("Condition", {}), context)
        for statement in statements
    )
