# A dashboard of the pipeline's state and cost.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

locals {
  # List prices in US$, from tools/common/pricing.py, which names the sources. A test compares both.
  prices_as_known_on = "2026-11-25"
  prices_of          = "us-east-1"
  gib_second         = { arm64 = 0.0000133334, x86_64 = 0.0000166667 }
  invocation         = 0.0000002
  s3_put             = 0.000005
  s3_get             = 0.0000004

  # Converts milliseconds to the price of that time at the function's memory size.
  by_time = "/ 1000 * ${var.memory_size} / 1024 * ${local.gib_second[var.architecture]}"

  # One metric each: a sum has no data if one of its metrics has none.
  costs = [
    { id = "compute", label = "compute", metric = ["AWS/Lambda", "Duration", "FunctionName", var.function_name], price = local.by_time },
    { id = "starts", label = "cold starts", metric = [local.namespace, "InitMilliseconds"], price = local.by_time },
    { id = "invocations", label = "invocations", metric = ["AWS/Lambda", "Invocations", "FunctionName", var.function_name], price = "* ${local.invocation}" },
    { id = "puts", label = "S3 PUT", metric = [local.namespace, "Outputs"], price = "* ${local.s3_put}" },
    # The function reads each object, and checks it again after its last write.
    { id = "gets", label = "S3 GET and HEAD", metric = [local.namespace, "Seen"], price = "* 2 * ${local.s3_get}" },
  ]
  cost_metrics = [for one in local.costs : concat(one.metric, [{ id = one.id, stat = "Sum", visible = false }])]
  cost_parts   = [for one in local.costs : { id = "${one.id}_cost", label = one.label, expression = "${one.id} ${one.price}" }]
  cost_total   = { id = "total", label = "US$", expression = "SUM([${join(", ", local.cost_parts[*].id)}])" }
  cost_title   = "estimated US$ (list prices of ${local.prices_of}, ${local.prices_as_known_on})"

  from_zero = { left = { min = 0 }, right = { min = 0 } }

  rows = [
    [
      {
        title = "Uploads"
        stat  = "Sum"
        metrics = [
          [local.namespace, "Seen", { label = "seen" }],
          [local.namespace, "Outputs", { label = "written", stat = "SampleCount" }],
          [local.namespace, "Outputs", { label = "outputs" }],
          [local.namespace, "Rejected", { label = "rejected" }],
        ]
      },
      {
        title   = "Rejected, by reason"
        stat    = "Sum"
        stacked = true
        metrics = [[{
          id         = "reasons"
          expression = "SEARCH('{\"${local.namespace}\",Reason} MetricName=\"RejectedByReason\"', 'Sum')"
        }]]
      },
      {
        title = "Errors and throttles"
        stat  = "Sum"
        metrics = [
          ["AWS/Lambda", "Errors", "FunctionName", var.function_name, { label = "failed invocations" }],
          ["AWS/Lambda", "Throttles", "FunctionName", var.function_name, { label = "throttled" }],
          ["AWS/Lambda", "AsyncEventsDropped", "FunctionName", var.function_name, { label = "events given up" }],
          ["AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", var.function_name, { label = "events lost without a record" }],
        ]
      },
    ],
    [
      {
        title = "Duration of an invocation, ms"
        metrics = [
          for stat in ["p50", "p95", "p99"] : ["AWS/Lambda", "Duration", "FunctionName", var.function_name, { label = stat, stat = stat }]
        ]
        annotations = { horizontal = [{ label = "timeout", value = var.timeout * 1000 }] }
      },
      {
        title   = "Rendering of an upload, ms"
        metrics = [for stat in ["p50", "p95", "p99"] : [local.namespace, "RenderMilliseconds", { label = stat, stat = stat }]]
      },
      {
        title = "Cold starts"
        metrics = [
          [local.namespace, "InitMilliseconds", { label = "count", stat = "SampleCount" }],
          [local.namespace, "InitMilliseconds", { label = "p50, ms", stat = "p50", yAxis = "right" }],
        ]
      },
    ],
    [
      {
        title   = "Concurrent executions"
        metrics = [["AWS/Lambda", "ConcurrentExecutions", "FunctionName", var.function_name, { label = "maximum", stat = "Maximum" }]]
      },
      {
        title   = "Age of asynchronous events, ms"
        metrics = [["AWS/Lambda", "AsyncEventAge", "FunctionName", var.function_name, { label = "maximum", stat = "Maximum" }]]
      },
      {
        title       = "Memory, MB"
        metrics     = [[local.namespace, "MaxMemoryMegabytes", { label = "maximum used", stat = "Maximum" }]]
        annotations = { horizontal = [{ label = "memory_size", value = var.memory_size }] }
      },
    ],
    [
      {
        title = "Messages in the queues"
        stat  = "Maximum"
        metrics = [
          for name in compact([var.failure_queue_name, var.undelivered_queue_name]) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { label = name }]
        ]
      },
      {
        title = "Age of the oldest message, s"
        stat  = "Maximum"
        metrics = [
          for name in compact([var.failure_queue_name, var.undelivered_queue_name]) : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", name, { label = name }]
        ]
      },
      {
        title = "Bytes and megapixels"
        stat  = "Sum"
        metrics = [
          [local.namespace, "SourceBytes", { label = "bytes in" }],
          [local.namespace, "OutputBytes", { label = "bytes out" }],
          [local.namespace, "Megapixels", { label = "megapixels", yAxis = "right" }],
        ]
      },
    ],
    [
      {
        title   = "An hour: ${local.cost_title}"
        stacked = true
        period  = 3600
        metrics = concat(local.cost_metrics, [for one in local.cost_parts : [one]])
      },
      {
        title   = "A day (UTC): ${local.cost_title}"
        view    = "singleValue"
        period  = 86400
        metrics = concat(local.cost_metrics, [for one in local.cost_parts : [merge(one, { visible = false })]], [[local.cost_total]])
      },
    ],
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.function_name

  dashboard_body = jsonencode({
    start = "-P1D"
    # Otherwise the console chooses periods: an hour's cost would become a minute's.
    periodOverride = "inherit"

    widgets = concat(
      [
        # CloudWatch rejects a list of no alarms.
        for alarms in [concat(values(aws_cloudwatch_metric_alarm.this), aws_cloudwatch_metric_alarm.rejected_rate)[*].arn] : {
          type       = "alarm"
          x          = 0
          y          = 0
          width      = 16
          height     = 3
          properties = { title = "Alarms", alarms = alarms }
        } if local.has_alarms
      ],
      [
        {
          type       = "text"
          x          = local.has_alarms ? 16 : 0
          y          = 0
          width      = local.has_alarms ? 8 : 24
          height     = 3
          properties = { markdown = "**${var.function_name}** in ${var.region}\n\nWhat to do about an alarm: ${var.runbook}" }
        },
      ],
      flatten([
        for y, row in local.rows : [
          for x, properties in row : {
            type   = "metric"
            x      = x * 24 / length(row)
            y      = 3 + y * 6
            width  = 24 / length(row)
            height = 6
            properties = merge(
              { region = var.region, view = "timeSeries", stacked = false, period = 300, yAxis = local.from_zero },
              properties,
            )
          }
        ]
      ]),
    )
  })
}
