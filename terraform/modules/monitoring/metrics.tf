# Metrics made of the function's log, so that the function pays nothing for them; docs/logs.md documents the fields.

locals {
  # The name in it keeps two pipelines of an account apart.
  namespace = "ImageResize/${var.function_name}"

  written  = "{ $.message = \"written\" }"
  rejected = "{ $.message = \"rejected\" }"

  metrics = {
    # What is retried is seen again.
    Seen     = { pattern = "{ ($.message = \"written\") || ($.message = \"rejected\") || ($.message = \"failed\") }", value = "1", unit = "Count" }
    Rejected = { pattern = local.rejected, value = "1", unit = "Count" }
    # A metric beside the one above: an alarm cannot add up what has dimensions.
    RejectedByReason = { pattern = local.rejected, value = "1", unit = "Count", dimensions = { Reason = "$.reason" } }

    # Of all of these the sample count is that of the uploads.
    Outputs            = { pattern = local.written, value = "$.output_count", unit = "Count" }
    SourceBytes        = { pattern = local.written, value = "$.source_bytes", unit = "Bytes" }
    OutputBytes        = { pattern = local.written, value = "$.output_bytes", unit = "Bytes" }
    Megapixels         = { pattern = local.written, value = "$.megapixels", unit = "None" }
    RenderMilliseconds = { pattern = local.written, value = "$.render_milliseconds", unit = "Milliseconds" }

    # Lambda's own lines, of which only the first of an environment has the time of its start.
    # https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#ReportMetrics
    InitMilliseconds   = { pattern = "{ ($.type = \"platform.report\") && ($.record.metrics.initDurationMs >= 0) }", value = "$.record.metrics.initDurationMs", unit = "Milliseconds" }
    MaxMemoryMegabytes = { pattern = "{ $.type = \"platform.report\" }", value = "$.record.metrics.maxMemoryUsedMB", unit = "Megabytes" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.metrics

  name           = each.key
  log_group_name = var.log_group
  pattern        = each.value.pattern

  # Without a default value: CloudWatch takes none beside dimensions, and what is not sent costs nothing.
  metric_transformation {
    namespace  = local.namespace
    name       = each.key
    value      = each.value.value
    unit       = each.value.unit
    dimensions = try(each.value.dimensions, null)
  }
}
