# Alarms: each for something that somebody has to do, which the runbook tells under the alarm's own name.

locals {
  of_function = { FunctionName = var.function_name }

  alarms = {
    for name, alarm in {
      # A failed event is tried three times within a few minutes: once is nothing, and three times are one that was given up.
      function-errors = {
        says       = "${var.thresholds.errors} or more invocations failed within 15 minutes."
        namespace  = "AWS/Lambda"
        metric     = "Errors"
        dimensions = local.of_function
        statistic  = "Sum"
        threshold  = var.thresholds.errors
        period     = 900
        periods    = 1
      }

      # In a storm throttling is as it should be, and what is throttled waits for hours: nobody is woken by minutes of it.
      throttles = {
        says       = "Events were throttled for ${var.thresholds.throttled_minutes} minutes without a pause."
        namespace  = "AWS/Lambda"
        metric     = "Throttles"
        dimensions = local.of_function
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = var.thresholds.throttled_minutes / 5
      }

      # One slow image is no matter: two of three periods are S3 or the memory size. What times out is an error, too.
      near-timeout = {
        says       = "Invocations took ${var.thresholds.timeout_percent} % or more of their ${var.timeout} s."
        namespace  = "AWS/Lambda"
        metric     = "Duration"
        dimensions = local.of_function
        statistic  = "Maximum"
        threshold  = var.timeout * 10 * var.thresholds.timeout_percent # milliseconds
        period     = 300
        periods    = 3
        of_them    = 2
      }

      # At once: it is in no queue any more. Not AsyncEventsDropped, which also counts what is in the failure queue.
      # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
      records-lost = {
        says       = "An event was given up and could not be put into the failure queue."
        namespace  = "AWS/Lambda"
        metric     = "DestinationDeliveryFailures"
        dimensions = local.of_function
        statistic  = "Sum"
        threshold  = 1
        period     = 300
        periods    = 1
      }

      # Nobody has looked for so long; after 14 days the record is gone.
      failure-age = {
        says       = "A record has been in ${var.failure_queue_name} for ${var.thresholds.failure_age_hours} hours."
        namespace  = "AWS/SQS"
        metric     = "ApproximateAgeOfOldestMessage"
        dimensions = { QueueName = var.failure_queue_name }
        statistic  = "Maximum"
        threshold  = var.thresholds.failure_age_hours * 3600 # seconds
        period     = 300
        periods    = 1
      }

      # What is there EventBridge has tried for a day, or may not deliver.
      undelivered = {
        says       = "EventBridge could not deliver an event, and has put it into its queue."
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = var.undelivered_queue_name }
        statistic  = "Maximum"
        threshold  = 1
        period     = 300
        periods    = 1
      }
    } : name => alarm
    if name != "undelivered" || var.undelivered_queue_name != null
  }

  # An hour of uploads, and not of a handful: one broken file of three is no sign of anything.
  rejected_rate = "IF(seen >= ${var.thresholds.rejected_uploads}, 100 * FILL(rejected, 0) / seen, 0)"
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.function_name}-${each.key}"
  alarm_description   = "${each.value.says} ${var.runbook}#${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = try(each.value.of_them, each.value.periods)
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn[*]
  ok_actions          = var.alarm_topic_arn[*]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "rejected_rate" {
  alarm_name          = "${var.function_name}-rejected-rate"
  alarm_description   = "${var.thresholds.rejected_percent} % or more of an hour's uploads, ${var.thresholds.rejected_uploads} at least, were rejected. ${var.runbook}#rejected-rate"
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.thresholds.rejected_percent
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn[*]
  ok_actions          = var.alarm_topic_arn[*]
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
