# For your own alarms and dashboards.

output "alarm_arns" {
  description = "ARNs of the alarms, by their headings in the runbook."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn },
    { for alarm in aws_cloudwatch_metric_alarm.rejected_rate : "rejected-rate" => alarm.arn },
  )
}

output "namespace" {
  description = "Namespace of the metrics from the function's log."
  value       = local.namespace
}
