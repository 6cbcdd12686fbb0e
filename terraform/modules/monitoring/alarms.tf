# Alarms. Each needs somebody to act: the runbook says how, under the alarm's name.

locals {
  # An alarm that notifies no one only costs money.
  has_alarms = var.alarms == null ? length(var.alarm_topic_arns) > 0 : var.alarms

  function_dimensions = { FunctionName = var.function_name }

  alarms = {
    for name, alarm in {
      # Lambda tries a failed event three times within a few minutes: three failures can be one event that it gave up.
      function-errors = {
        text       = "${var.thresholds.errors} or more invocations failed within 15 minutes."
        namespace  = "AWS/Lambda"
        metric     = "Errors"
        dimensions = local.function_dimensions
        statistic  = "Sum"
        threshold  = var.thresholds.errors
        period     = 900
        periods    = 1
      }

      # Throttling is normal in a burst of uploads, and Lambda keeps throttled events for hours: minutes need no action.
      throttles = {
        text       = "Events were throttled for ${var.thresholds.throttled_minutes} minutes without a pause."
        namespace  = "AWS/Lambda"
        metric     = "Throttles"
        dimensions = local.function_dimensions
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = var.thresholds.throttled_minutes / 5
      }

      # One slow image is harmless. Two of three periods point to S3 or to the memory size. A timeout also counts as an error.
      near-timeout = {
        text       = "Invocations took ${var.thresholds.timeout_percent} % or more of their timeout of ${var.timeout} s."
        namespace  = "AWS/Lambda"
        metric     = "Duration"
        dimensions = local.function_dimensions
        statistic  = "Maximum"
        threshold  = var.timeout * 10 * var.thresholds.timeout_percent # milliseconds
        period     = 300
        periods    = 3
        datapoints = 2
      }

      # No delay: the event is in no queue any more. AsyncEventsDropped would also count events in the failure queue.
      # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
      records-lost = {
        text       = "Lambda gave up an event and could not send it to the failure queue."
        namespace  = "AWS/Lambda"
        metric     = "DestinationDeliveryFailures"
        dimensions = local.function_dimensions
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = 1
      }

      # Nobody handled the records for this long. The queue deletes each after 14 days. Not ApproximateAgeOfOldestMessage:
      # it no longer counts a message that was received three times, and every look at a record receives it.
      # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
      failure-age = {
        text       = "${var.failure_queue_name} has held records for ${var.thresholds.failure_age_hours} hours without a pause."
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = var.failure_queue_name }
        statistic  = "Maximum"
        threshold  = 1
        period     = 3600
        periods    = var.thresholds.failure_age_hours
      }

      # Lambda stopped invoking a function whose outputs come back to it as uploads.
      # https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
      loop = {
        text       = "Lambda dropped events because outputs of ${var.function_name} came back to it as uploads."
        namespace  = "AWS/Lambda"
        metric     = "RecursiveInvocationsDropped"
        dimensions = local.function_dimensions
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = 1
      }

      # EventBridge retried such an event for a day, or has no permission to deliver it.
      undelivered = {
        text       = "EventBridge could not deliver an event, and sent it to its dead-letter queue."
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = var.undelivered_queue_name }
        statistic  = "Maximum"
        threshold  = 1
        period     = 300
        periods    = 1
      }

      # EventBridge has no permission for the dead-letter queue or its key, or the queue is gone.
      # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
      undelivered-lost = {
        text       = "EventBridge could not deliver an event, and could not send it to its dead-letter queue."
        namespace  = "AWS/Events"
        metric     = "InvocationsFailedToBeSentToDlq"
        dimensions = { RuleName = var.function_name }
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = 1
      }
    } : name => alarm
    if local.has_alarms && (!startswith(name, "undelivered") || var.undelivered_queue_name != null)
  }

  # Zero below a minimum of uploads: one broken file out of three means nothing.
  rejected_rate = "IF(seen >= ${var.thresholds.rejected_uploads}, 100 * FILL(rejected, 0) / seen, 0)"
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "${each.value.text} ${var.runbook}#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = try(each.value.datapoints, each.value.periods)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "rejected_rate" {
  count = local.has_alarms && var.metrics ? 1 : 0

  alarm_name          = "${var.function_name}-rejected-rate"
  alarm_description   = "${var.thresholds.rejected_percent} % or more of an hour's uploads were rejected, out of ${var.thresholds.rejected_uploads} or more. ${var.runbook}#rejected-rate"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.thresholds.rejected_percent
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "rate"
    expression  = local.rejected_rate
    label       = "rejected, percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { seen = "Seen", rejected = "Rejected" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 3600
      }
    }
  }
}
