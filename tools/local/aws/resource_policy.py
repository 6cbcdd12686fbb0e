"""Whether a resource's own policy lets a service of AWS use it on behalf of another resource; moto does not ask."""

import re
from dataclasses import dataclass
from typing import Any

from tools.local.aws.policy import applies, conditions_met, listed


@dataclass(frozen=True)
class Service:
    """A service of AWS that acts for a resource.

    Attributes:
        name: Such as ``s3.amazonaws.com``.
        source_arn: What it acts for: a bucket or a rule.
        account_id: Whose that is.

    """

    name: str
    source_arn: str
    account_id: str


def permits(statements: Any, service: Service, action: str, resource: str) -> bool:
    """Whether a statement of a policy allows it and none denies it.

    Args:
        statements: Of the policy of a function or a queue: one, or a list of them.
        service: Who asks.
        action: Such as ``lambda:InvokeFunction``.
        resource: The ARN of the function or the queue.

    """
    context = {"aws:sourcearn": service.source_arn, "aws:sourceaccount": service.account_id}
    effects = {
        statement["Effect"]
        for statement in listed(statements)
        if _names(statement.get("Principal"), service.name)
        and applies(statement, "Action", action, re.IGNORECASE)
        and applies(statement, "Resource", resource)
        and conditions_met(statement.get("Condition", {}), context)
    }
    return effects == {"Allow"}


def _names(principal: Any, service: str) -> bool:
    """Whether a statement is about a service: by its name, or because it is about everybody."""
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return service in listed(principal.get("Service", [])) or "*" in listed(principal.get("AWS", []))
