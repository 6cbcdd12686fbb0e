# What is watched, who is told, and when; modules/function has an output for all that describes the function.

variable "alarm_topic_arn" {
  type        = string
  description = "ARN of the SNS topic that is told when an alarm begins and when it ends; null tells nobody, and the alarms are only to be seen. Where the topic is encrypted with a key of yours, that key's policy must let cloudwatch.amazonaws.com use it."
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of a standard SNS topic, arn:aws:sns:REGION:ACCOUNT:NAME, or null."
  }
}

variable "architecture" {
  type        = string
  description = "The function's processor, arm64 or x86_64, by which its time is priced."
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64: give modules/function's output architecture."
  }
}

variable "failure_queue_name" {
  type        = string
  description = "Name of the queue that holds a record of every image that could not be resized."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.failure_queue_name))
    error_message = "failure_queue_name must be the queue's name alone, no URL and no ARN: give modules/function's output failure_queue_name."
  }
}

variable "function_name" {
  type        = string
  description = "Name of the function. The dashboard has it too, the alarms' names begin with it, and the metrics are in the namespace ImageResize/NAME."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name must be the function's name alone, no ARN: give modules/function's output function_name."
  }
}

variable "log_group" {
  type        = string
  description = "Name of the function's log group, which the metrics are made of."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.log_group))
    error_message = "log_group must be the log group's name alone, no ARN: give modules/function's output log_group."
  }
}

variable "memory_size" {
  type        = number
  description = "The function's memory in MiB, by which its time is priced."
  nullable    = false
}

variable "runbook" {
  type        = string
  description = "Where the runbook is, a path or a URL. Each alarm's description ends in it, with the alarm's own heading behind a \"#\"."
  default     = "docs/runbook.md"
  nullable    = false

  validation {
    condition     = can(regex("^[^#[:space:]]{1,512}$", var.runbook))
    error_message = "runbook must be a path or a URL of at most 512 characters, without blanks and without \"#\": each alarm adds its own heading."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of the alarms; metric filters and dashboards can have none."
  default     = {}
  nullable    = false
}

variable "thresholds" {
  type = object({
    errors            = optional(number, 3)
    throttled_minutes = optional(number, 30)
    timeout_percent   = optional(number, 80)
    failure_age_hours = optional(number, 24)
    rejected_percent  = optional(number, 10)
    rejected_uploads  = optional(number, 20)
  })
  description = "When the alarms begin. errors: failed invocations within 15 minutes; each event is tried three times. throttled_minutes: throttling without a pause, in steps of 5; in a storm minutes of it are normal. timeout_percent: how much of its timeout an invocation takes, in two of three periods of 5 minutes. failure_age_hours: how long a record has been in the failure queue, which keeps it 14 days. rejected_percent: how many of an hour's uploads are rejected, once they are as many as rejected_uploads. An event that could not be recorded or delivered is an alarm at once."
  default     = {}
  nullable    = false

  validation {
    condition     = var.thresholds.errors >= 1 && floor(var.thresholds.errors) == var.thresholds.errors
    error_message = "thresholds.errors must be a whole number of failed invocations from 1."
  }

  validation {
    condition     = contains(range(5, 1441, 5), var.thresholds.throttled_minutes)
    error_message = "thresholds.throttled_minutes must be a multiple of 5 from 5 to 1440, a day, which is as far as an alarm looks back."
  }

  validation {
    condition     = var.thresholds.timeout_percent > 0 && var.thresholds.timeout_percent <= 100
    error_message = "thresholds.timeout_percent must be above 0 and at most 100, where an invocation is ended."
  }

  validation {
    condition     = var.thresholds.failure_age_hours > 0 && var.thresholds.failure_age_hours < 336
    error_message = "thresholds.failure_age_hours must be above 0 and below 336, the 14 days after which a record is gone."
  }

  validation {
    condition     = var.thresholds.rejected_percent > 0 && var.thresholds.rejected_percent <= 100
    error_message = "thresholds.rejected_percent must be above 0, which would be an alarm for nothing, and at most 100."
  }

  validation {
    condition     = var.thresholds.rejected_uploads >= 1 && floor(var.thresholds.rejected_uploads) == var.thresholds.rejected_uploads
    error_message = "thresholds.rejected_uploads must be a whole number of uploads from 1: of fewer in an hour no share is taken."
  }
}

variable "timeout" {
  type        = number
  description = "The function's timeout in seconds."
  nullable    = false
}

variable "undelivered_queue_name" {
  type        = string
  description = "Name of the queue that holds the events which EventBridge could not deliver; null where there is none."
  default     = null

  validation {
    condition     = var.undelivered_queue_name == null || can(regex("^[A-Za-z0-9_-]{1,80}$", var.undelivered_queue_name))
    error_message = "undelivered_queue_name must be the queue's name alone, no URL and no ARN, or null: give modules/function's output undelivered_queue_name."
  }
}
