"""Checks that an alarm reaches the people who act on it."""

import json

from tools.accept.pipeline import CheckError, Pipeline, wait_until_empty

TOPIC = """\
# Receives the alarms. A queue in place of people lets the check read what they would receive.

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sqs_queue" "alarms" {
  name = "${var.name}-alarms"
}

resource "aws_sqs_queue_policy" "alarms" {
  queue_url = aws_sqs_queue.alarms.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ReceiveAlarms"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.alarms.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.alarms.arn } }
    }]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.alarms.arn
}
"""
"""Terraform code beside the module, which gets the topic's ARN as one of its ``alarm_topic_arns``."""


def check_alarms(pipeline: Pipeline) -> None:
    """Set each alarm off, and wait until the topic has a message about each."""
    cloudwatch, name = pipeline.client("cloudwatch"), pipeline.deployment.function_name
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
    waiting = {alarm["AlarmName"] for alarm in alarms}
    if not waiting:
        raise CheckError(f"No alarm begins with {name}-")
    for alarm in waiting:
        # Only a change of the state has actions, and an alarm may already be in ALARM.
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="invoke accept")
    sqs = pipeline.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{name}-alarms")["QueueUrl"]

    def poll() -> set[str]:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", []):
            sent = json.loads(json.loads(message["Body"])["Message"])
            if sent["NewStateValue"] == "ALARM":
                waiting.discard(sent["AlarmName"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return waiting

    wait_until_empty(poll, "alarms without a message")
