"""Whether a resource's own policy lets a service of AWS use it on behalf of another resource; moto does not ask."""

import re
from typing import Any

from tools.local_aws.policy import conditions_met, listed, matches


def permits(statements: Any, service: str, action: str, source_arn: str, account_id: str) -> bool:
    """Whether a statement of a policy allows it and none denies it.

    Args:
        statements: Of the policy of a function or a queue: one, or a list of them.
        service: Such as ``s3.amazonaws.com``.
        action: Such as ``lambda:InvokeFunction``.
        source_arn: What the service does it for: a bucket or a rule.
        account_id: Whose that is.

    """
    context = {"aws:sourcearn": source_arn, "aws:sourceaccount": account_id}
    effects = {
        statement["Effect"]
        for statement in listed(statements)
        if _names(statement.get("Principal"), service)
        and any(matches(pattern, action, re.IGNORECASE) for pattern in listed(statement.get("Action", [])))
        and conditions_met(statement.get("Condition", {}), context)
    }
    return effects == {"Allow"}


def _names(principal: Any, service: str) -> bool:
    """Whether a statement is about a service: by its name, or because it is about everybody."""
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return service in listed(principal.get("Service", [])) or "*" in listed(principal.get("AWS", []))
