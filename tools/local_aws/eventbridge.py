"""EventBridge: which rules want an event, and what becomes of it where it may not be delivered."""

import copy
import json
import logging
from collections.abc import Callable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends

from tools.local_aws.resource_policy import permits

logger = logging.getLogger(__name__)

SERVICE = "events.amazonaws.com"

Invoke = Callable[[str, str, bytes], bool]
"""Takes the ARNs of a rule and of a function, and an event; tells whether the rule may invoke the function."""


def publish(event: Any, region: str, invoke: Invoke) -> None:
    """Bring an event of a service to the targets of every rule that wants it."""
    for rule in list(events_backends[DEFAULT_ACCOUNT_ID][region].event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
            for target in list(rule.targets):
                _deliver(event, rule, target, region, invoke)


def _deliver(event: Any, rule: Any, target: dict[str, Any], region: str, invoke: Invoke) -> None:
    if ":lambda:" not in target["Arn"]:
        # moto brings it to other services, each in its own way.
        alone = copy.copy(rule)
        alone.targets = [target]
        alone.send_to_targets(event, transform_input=False)
    elif not invoke(rule.arn, target["Arn"], json.dumps(event).encode()):
        _give_up(event, rule, target, region)


def _give_up(event: Any, rule: Any, target: dict[str, Any], region: str) -> None:
    """Put into the target's dead-letter queue what it may not be given."""
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    arn = target.get("DeadLetterConfig", {}).get("Arn", "")
    backend = sqs_backends[DEFAULT_ACCOUNT_ID][region]
    try:
        queue = backend.get_queue(arn.rpartition(":")[2])
    except QueueDoesNotExist:
        queue = None
    statements = json.loads(queue.policy or "{}").get("Statement", []) if queue else []
    if queue is None or not permits(statements, SERVICE, "sqs:SendMessage", rule.arn, DEFAULT_ACCOUNT_ID):
        logger.warning("%s may not invoke %s: the event is dropped, as EventBridge would", rule.arn, target["Arn"])
        return
    about = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "The rule may not invoke the function.",
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in about.items()}
    backend.send_message(queue.name, json.dumps(event), message_attributes=attributes)
