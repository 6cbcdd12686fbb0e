"""EventBridge: matches events with rules, and delivers them to targets or dead-letter queues."""

import json
import logging
from collections.abc import Callable
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends

from tools.local.aws.policy import Service, permits

logger = logging.getLogger(__name__)

SERVICE = "events.amazonaws.com"

Invoke = Callable[[str, str, bytes], bool]
"""Invokes a function for a rule with an event; takes both ARNs. Returns whether the rule may."""


def publish(event: Any, region: str, invoke: Invoke) -> None:
    """Deliver an event of an AWS service to the targets of every rule that matches it."""
    for rule in list(events_backends[DEFAULT_ACCOUNT_ID][region].event_buses["default"].rules.values()):
        apply_rule(rule, event, region, invoke)


def apply_rule(rule: Any, event: Any, region: str, invoke: Invoke) -> None:
    """Deliver an event to the targets of a rule if the rule matches it."""
    # For moto, a rule with a schedule and no pattern matches every event.
    wants = rule.event_pattern.get_pattern() and rule.event_pattern.matches_event(event)
    if rule.state == "ENABLED" and wants:
        for target in list(rule.targets):
            _deliver(event, rule, target, region, invoke)


def _deliver(event: Any, rule: Any, target: dict[str, Any], region: str, invoke: Invoke) -> None:
    arn, body = target["Arn"], json.dumps(event)
    service = arn.split(":")[2]
    if service not in {"lambda", "sqs"}:
        logger.warning("%s has the target %s: only functions and queues get events here", rule.arn, arn)
        return
    delivered = invoke(rule.arn, arn, body.encode()) if service == "lambda" else _send(arn, rule.arn, body, region)
    if not delivered:
        _give_up(body, rule, target, region)


def _give_up(body: str, rule: Any, target: dict[str, Any], region: str) -> None:
    """Send an event that can't be delivered to the target's dead-letter queue."""
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    about = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": "The rule may not use the target.",
    }
    if not _send(target.get("DeadLetterConfig", {}).get("Arn", ""), rule.arn, body, region, **about):
        logger.warning("%s may not use %s: the event is dropped, as EventBridge would", rule.arn, target["Arn"])


def _send(queue_arn: str, rule_arn: str, body: str, region: str, **about: str) -> bool:
    """Send a message if the queue exists and its policy allows the rule to; moto does not evaluate the policy."""
    backend = sqs_backends[DEFAULT_ACCOUNT_ID][region]
    try:
        queue = backend.get_queue(queue_arn.rpartition(":")[2])
    except QueueDoesNotExist:
        return False
    statements = json.loads(queue.policy or "{}").get("Statement", [])
    if not permits(statements, Service(SERVICE, rule_arn, DEFAULT_ACCOUNT_ID), "sqs:SendMessage", queue_arn):
        return False
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in about.items()}
    backend.send_message(queue.name, body, message_attributes=attributes)
    return True
