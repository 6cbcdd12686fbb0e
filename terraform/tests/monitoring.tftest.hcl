# Metrics, alarms and dashboard. tests/terraform/test_monitoring.py checks their contents.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  # For modules/monitoring.
  function_name      = "Lambda-image"
  log_group_name     = "/aws/lambda/Lambda-image"
  failure_queue_name = "Lambda-image-failures"
  architecture       = "arm64"
  memory_size        = 1769
  timeout            = 120
  region             = "eu-west-2"

  # For the root module.
  source_bucket      = "src-bucket-image-in"
  destination_bucket = "dest-bucket-image-out"
  package            = { path = "./tests/package/function.zip" }
}

run "unless_asked" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_metric_alarm.rejected_rate) + length(aws_cloudwatch_dashboard.this) == 0
    error_message = "Without a topic there must be no alarm, and unless asked no dashboard."
  }

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.this) == 10 && length(output.alarm_arns) == 0
    error_message = "By default there must be metrics, whose past nobody can make later."
  }
}

run "without_metrics" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    metrics          = false
    alarm_topic_arns = ["arn:aws:sns:eu-west-2:123456789012:alarms"]
  }

  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.this) == 0 && !contains(keys(output.alarm_arns), "rejected-rate") && length(output.alarm_arns) == 6
    error_message = "Without metrics there must be only the alarms on metrics of AWS."
  }
}

run "without_alarms" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarms           = false
    alarm_topic_arns = ["arn:aws:sns:eu-west-2:123456789012:alarms"]
    dashboard        = true
  }

  assert {
    condition     = length(output.alarm_arns) == 0 && !contains(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets[*].type, "alarm")
    error_message = "A dashboard without alarms must have no list of alarms, which CloudWatch would reject."
  }
}

run "plan" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarms    = true
    dashboard = true
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.rejected_rate) :
      length(alarm.alarm_actions) + length(alarm.ok_actions) == 0
    ])
    error_message = "Without a topic, alarms must notify no one."
  }

  assert {
    # Namespace, metric, dimension, statistic, period, periods, datapoints, threshold.
    condition = jsonencode({
      for name, one in aws_cloudwatch_metric_alarm.this :
      name => [
        one.namespace, one.metric_name, join(" ", [for key, value in one.dimensions : "${key} ${value}"]), one.statistic,
        one.period, one.evaluation_periods, one.datapoints_to_alarm, one.threshold,
      ]
      }) == jsonencode({
      failure-age     = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName Lambda-image-failures", "Maximum", 3600, 24, 24, 1]
      function-errors = ["AWS/Lambda", "Errors", "FunctionName Lambda-image", "Sum", 900, 1, 1, 3]
      loop            = ["AWS/Lambda", "RecursiveInvocationsDropped", "FunctionName Lambda-image", "Sum", 300, 1, 1, 1]
      near-timeout    = ["AWS/Lambda", "Duration", "FunctionName Lambda-image", "Maximum", 300, 3, 2, 96000]
      records-lost    = ["AWS/Lambda", "DestinationDeliveryFailures", "FunctionName Lambda-image", "Sum", 300, 1, 1, 1]
      throttles       = ["AWS/Lambda", "Throttles", "FunctionName Lambda-image", "Sum", 300, 6, 6, 1]
    })
    error_message = "Each alarm must be as documented."
  }

  assert {
    # Expression, whether it is the alarm's value, namespace, metric, statistic, period.
    condition = jsonencode({
      for one in aws_cloudwatch_metric_alarm.rejected_rate[0].metric_query :
      one.id => [one.expression, one.return_data, [for metric in one.metric : [metric.namespace, metric.metric_name, metric.stat, metric.period]]]
      }) == jsonencode({
      rate     = ["IF(seen >= 20, 100 * FILL(rejected, 0) / seen, 0)", true, []]
      rejected = [null, null, [["ImageResize/Lambda-image", "Rejected", "Sum", 3600]]]
      seen     = [null, null, [["ImageResize/Lambda-image", "Seen", "Sum", 3600]]]
    })
    error_message = "The rate must compare an hour's rejected uploads with all uploads that the function saw."
  }

  assert {
    condition = alltrue([
      for one in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.rejected_rate) :
      one.comparison_operator == "GreaterThanOrEqualToThreshold" && one.treat_missing_data == "notBreaching"
    ]) && aws_cloudwatch_metric_alarm.rejected_rate[0].threshold == 10
    error_message = "Alarms must go off at their thresholds, and not for lack of data."
  }

  assert {
    condition     = aws_cloudwatch_dashboard.this[0].dashboard_name == "Lambda-image" && toset(keys(output.alarm_arns)) == toset(["failure-age", "function-errors", "loop", "near-timeout", "records-lost", "rejected-rate", "throttles"])
    error_message = "The dashboard's name and the outputs must be as documented."
  }
}

run "with_all" {
  command = plan

  module {
    source = "./modules/monitoring"
  }

  variables {
    alarm_topic_arns       = ["arn:aws:sns:eu-west-2:123456789012:alarms", "arn:aws:sns:eu-west-2:123456789012:on-call"]
    dashboard              = true
    undelivered_queue_name = "Lambda-image-undelivered"
    runbook                = "https://wiki.example.com/images"
    tags                   = { team = "images" }
    thresholds             = { errors = 1, throttled_minutes = 1440, timeout_percent = 50, failure_age_hours = 168, rejected_percent = 100, rejected_uploads = 1 }
  }

  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.rejected_rate) : (
        alarm.alarm_actions == toset(["arn:aws:sns:eu-west-2:123456789012:alarms", "arn:aws:sns:eu-west-2:123456789012:on-call"])
        && alarm.ok_actions == toset(["arn:aws:sns:eu-west-2:123456789012:alarms", "arn:aws:sns:eu-west-2:123456789012:on-call"])
        && alarm.tags == tomap({ team = "images" })
      )
    ])
    error_message = "Every alarm must notify each topic when it goes off and when it recovers."
  }

  assert {
    # Namespace, metric, dimension, statistic, period, periods, datapoints, threshold.
    condition = jsonencode({
      for name, one in aws_cloudwatch_metric_alarm.this :
      name => [
        one.namespace, one.metric_name, join(" ", [for key, value in one.dimensions : "${key} ${value}"]), one.statistic,
        one.period, one.evaluation_periods, one.datapoints_to_alarm, one.threshold,
      ]
      }) == jsonencode({
      failure-age      = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName Lambda-image-failures", "Maximum", 3600, 168, 168, 1]
      function-errors  = ["AWS/Lambda", "Errors", "FunctionName Lambda-image", "Sum", 900, 1, 1, 1]
      loop             = ["AWS/Lambda", "RecursiveInvocationsDropped", "FunctionName Lambda-image", "Sum", 300, 1, 1, 1]
      near-timeout     = ["AWS/Lambda", "Duration", "FunctionName Lambda-image", "Maximum", 300, 3, 2, 60000]
      records-lost     = ["AWS/Lambda", "DestinationDeliveryFailures", "FunctionName Lambda-image", "Sum", 300, 1, 1, 1]
      throttles        = ["AWS/Lambda", "Throttles", "FunctionName Lambda-image", "Sum", 300, 288, 288, 1]
      undelivered      = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName Lambda-image-undelivered", "Maximum", 300, 1, 1, 1]
      undelivered-lost = ["AWS/Events", "InvocationsFailedToBeSentToDlq", "RuleName Lambda-image", "Sum", 300, 1, 1, 1]
    })
    error_message = "Every threshold must have an effect."
  }

  assert {
    condition = alltrue([
      for one in concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.rejected_rate) :
      one.comparison_operator == "GreaterThanOrEqualToThreshold" && one.treat_missing_data == "notBreaching"
    ]) && aws_cloudwatch_metric_alarm.rejected_rate[0].threshold == 100
    error_message = "Alarms must go off at their thresholds, and not for lack of data."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "Lambda-image-undelivered") && strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "https://wiki.example.com/images")
    error_message = "The dashboard must show both queues and the runbook's address."
  }

  assert {
    condition = jsonencode({
      for one in jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets :
      one.properties.title => [for metric in one.properties.metrics : metric[3]]
      if contains(["Messages in the queues", "Age of the oldest message, s"], try(one.properties.title, ""))
      }) == jsonencode({
      "Age of the oldest message, s" = ["Lambda-image-failures", "Lambda-image-undelivered"]
      "Messages in the queues"       = ["Lambda-image-failures", "Lambda-image-undelivered"]
    })
    error_message = "Both graphs of queues must show both queues."
  }
}

run "of_the_pipeline" {
  command = plan

  variables {
    name       = "thumbnails"
    trigger    = "eventbridge"
    function   = { memory_size = 3008, timeout = 60 }
    monitoring = { alarm_topic_arns = ["arn:aws:sns:eu-west-2:123456789012:alarms"], runbook = "runbook.md", thresholds = { timeout_percent = 50 } }
  }

  assert {
    condition = (
      module.monitoring[0].namespace == "ImageResize/thumbnails"
      && toset(keys(output.alarm_arns)) == toset(["failure-age", "function-errors", "loop", "near-timeout", "records-lost", "rejected-rate", "throttles", "undelivered", "undelivered-lost"])
    )
    error_message = "With a topic, the pipeline must have every alarm, including the one for EventBridge."
  }

  assert {
    condition = (
      module.function.timeout == 60
      && module.function.memory_size == 3008
      && module.function.architecture == "arm64"
      && module.function.failure_queue_name == "thumbnails-failures"
      && module.function.undelivered_queue_name == "thumbnails-undelivered"
    )
    error_message = "The function's outputs must match its settings."
  }
}

run "off" {
  command = plan

  variables {
    monitoring = { enabled = false }
  }

  assert {
    condition     = length(module.monitoring) == 0 && length(output.alarm_arns) == 0
    error_message = "enabled = false must turn all of it off."
  }
}
