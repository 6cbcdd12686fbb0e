# Metric filters on the function's log: metrics then take no time in the function. docs/logs.md documents the fields.

locals {
  # The function's name separates the pipelines of an account.
  namespace = "ImageResize/${var.function_name}"

  written  = "{ $.message = \"written\" }"
  rejected = "{ $.message = \"rejected\" }"

  metrics = {
    # Each retry counts again.
    Seen     = { pattern = "{ ($.message = \"written\") || ($.message = \"rejected\") || ($.message = \"failed\") }", value = "1", unit = "Count" }
    Rejected = { pattern = local.rejected, value = "1", unit = "Count" }
    # In addition to Rejected, because an alarm can't sum over a dimension's values.
    RejectedByReason = { pattern = local.rejected, value = "1", unit = "Count", dimensions = { Reason = "$.reason" } }

    # The sample count of each of these is the number of uploads.
    Outputs            = { pattern = local.written, value = "$.output_count", unit = "Count" }
    SourceBytes        = { pattern = local.written, value = "$.source_bytes", unit = "Bytes" }
    OutputBytes        = { pattern = local.written, value = "$.output_bytes", unit = "Bytes" }
    Megapixels         = { pattern = local.written, value = "$.megapixels", unit = "None" }
    RenderMilliseconds = { pattern = local.written, value = "$.render_milliseconds", unit = "Milliseconds" }

    # Lambda's own lines. Only the first line of an execution environment has initDurationMs.
    # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#ReportMetrics
    InitMilliseconds   = { pattern = "{ ($.type = \"platform.report\") && ($.record.metrics.initDurationMs >= 0) }", value = "$.record.metrics.initDurationMs", unit = "Milliseconds" }
    MaxMemoryMegabytes = { pattern = "{ $.type = \"platform.report\" }", value = "$.record.metrics.maxMemoryUsedMB", unit = "Megabytes" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = { for name, metric in local.metrics : name => metric if var.metrics }

  name           = each.key
  log_group_name = var.log_group_name
  pattern        = each.value.pattern

  # No default value: CloudWatch allows none beside dimensions, and a metric without data costs nothing.
  metric_transformation {
    namespace  = local.namespace
    name       = each.key
    value      = each.value.value
    unit       = each.value.unit
    dimensions = try(each.value.dimensions, null)
  }
}
