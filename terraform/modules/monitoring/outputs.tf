# What alarms and dashboards of your own need.

output "alarm_arns" {
  description = "ARNs of the alarms, by the runbook's headings."
  value = merge(
    { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn },
    { rejected-rate = aws_cloudwatch_metric_alarm.rejected_rate.arn },
  )
}

output "namespace" {
  description = "Namespace of the metrics that are made of the function's log."
  value       = local.namespace
}
