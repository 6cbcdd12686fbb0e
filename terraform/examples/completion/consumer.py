"""Keeps the latest state of each upload in a table, however often and in whatever order its completion events come."""

import json
import os
from typing import Any

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event: dict[str, Any], _: object) -> None:
    """Write the item of an upload, unless the table has this state of it or a later one."""
    detail = event["detail"]
    item = {
        "key": detail["source"]["key"],
        "confirmed_at": detail["confirmed_at"],
        "status": detail["status"],
        "etag": detail["source"]["etag"],
        "renditions": json.dumps(detail["renditions"]),
        "reason": detail["reason"],
    }
    try:
        table.put_item(
            Item=item,
            ConditionExpression="attribute_not_exists(confirmed_at) OR confirmed_at < :this",
            ExpressionAttributeValues={":this": item["confirmed_at"]},
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        print(json.dumps({"message": "outdated", **item}))
