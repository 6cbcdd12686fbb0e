# What to monitor, whom to notify, and when. modules/function has an output for each value that describes the function.

variable "alarm_topic_arns" {
  type        = list(string)
  description = "ARNs of the SNS topics to notify when an alarm goes off and when it recovers. If your own KMS key encrypts a topic, the key's policy must allow cloudwatch.amazonaws.com to use it."
  default     = []
  nullable    = false

  validation {
    condition     = length(var.alarm_topic_arns) <= 5 && alltrue([for one in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", one))])
    error_message = "alarm_topic_arns must be at most 5 ARNs of standard SNS topics, arn:aws:sns:REGION:ACCOUNT:NAME."
  }
}

variable "alarms" {
  type        = bool
  description = "Whether to create the alarms; null creates them if alarm_topic_arns has a topic. Alarms without a topic only show in the console."
  default     = null
}

variable "architecture" {
  type        = string
  description = "The function's architecture, arm64 or x86_64, which determines the price of its time."
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64: use the output architecture of modules/function."
  }
}

variable "dashboard" {
  type        = bool
  description = "Whether to create the dashboard. It shows the metrics of the log."
  default     = false
  nullable    = false

  validation {
    condition     = !var.dashboard || var.metrics
    error_message = "dashboard = true needs metrics = true: most of its widgets would stay empty."
  }

  validation {
    condition     = !var.dashboard || var.region != null
    error_message = "dashboard = true needs region: use the output region of modules/function."
  }
}

variable "failure_queue_name" {
  type        = string
  description = "Name of the queue that holds a record of every image that could not be resized."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,80}$", var.failure_queue_name))
    error_message = "failure_queue_name must be the queue's name, not its URL or ARN: use the output failure_queue_name of modules/function."
  }
}

variable "function_name" {
  type        = string
  description = "Name of the function and of the dashboard. Alarm names begin with it, and the metrics are in the namespace ImageResize/NAME."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name must be the function's name, not its ARN: use the output function_name of modules/function."
  }
}

variable "log_group_name" {
  type        = string
  description = "Name of the function's log group, which the metrics come from."
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.log_group_name))
    error_message = "log_group_name must be the log group's name, not its ARN: use the output log_group_name of modules/function."
  }
}

variable "memory_size" {
  type        = number
  description = "The function's memory in MiB, which determines the price of its time."
  nullable    = false
}

variable "metrics" {
  type        = bool
  description = "Whether to make metrics of the function's log. The alarm rejected-rate and the dashboard need them."
  default     = true
  nullable    = false
}

variable "region" {
  type        = string
  description = "The function's region; only the dashboard needs it."
  default     = null
}

variable "runbook" {
  type        = string
  description = "Path or URL of the runbook. Each alarm's description ends with it, followed by \"#\" and the alarm's heading."
  default     = "docs/runbook.md"
  nullable    = false

  validation {
    condition     = can(regex("^[^#[:space:]]{1,512}$", var.runbook))
    error_message = "runbook must be a path or a URL of at most 512 characters, without spaces and without \"#\": each alarm adds its own heading."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags for the alarms; metric filters and dashboards can't have tags."
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
  description = "When alarms go off. errors: failed invocations within 15 minutes; Lambda tries each event three times. throttled_minutes: minutes of uninterrupted throttling, in steps of 5; a few minutes are normal in a burst of uploads. timeout_percent: the share of its timeout that an invocation takes, in two of three 5-minute periods. failure_age_hours: for how many hours without a pause the failure queue holds records; it keeps each for 14 days. rejected_percent: the share of an hour's uploads that the function rejects, if there are at least rejected_uploads. Events that could not be recorded or delivered set off an alarm at once."
  default     = {}
  nullable    = false

  validation {
    condition     = var.thresholds.errors >= 1 && floor(var.thresholds.errors) == var.thresholds.errors
    error_message = "thresholds.errors must be a whole number of failed invocations from 1."
  }

  validation {
    condition     = contains(range(5, 1441, 5), var.thresholds.throttled_minutes)
    error_message = "thresholds.throttled_minutes must be a multiple of 5 from 5 to 1440: an alarm evaluates at most a day."
  }

  validation {
    condition     = var.thresholds.timeout_percent > 0 && var.thresholds.timeout_percent <= 100
    error_message = "thresholds.timeout_percent must be above 0 and at most 100, where Lambda ends the invocation."
  }

  validation {
    condition     = contains(range(1, 169), var.thresholds.failure_age_hours)
    error_message = "thresholds.failure_age_hours must be a whole number of hours from 1 to 168: an alarm evaluates at most a week."
  }

  validation {
    condition     = var.thresholds.rejected_percent > 0 && var.thresholds.rejected_percent <= 100
    error_message = "thresholds.rejected_percent must be above 0, where the alarm would never end, and at most 100."
  }

  validation {
    condition     = var.thresholds.rejected_uploads >= 1 && floor(var.thresholds.rejected_uploads) == var.thresholds.rejected_uploads
    error_message = "thresholds.rejected_uploads must be a whole number of uploads from 1: with fewer in an hour, the alarm stays off."
  }
}

variable "timeout" {
  type        = number
  description = "The function's timeout in seconds."
  nullable    = false
}

variable "undelivered_queue_name" {
  type        = string
  description = "Name of the queue for events that EventBridge could not deliver; null if there is none."
  default     = null

  validation {
    condition     = var.undelivered_queue_name == null || can(regex("^[A-Za-z0-9_-]{1,80}$", var.undelivered_queue_name))
    error_message = "undelivered_queue_name must be the queue's name, not its URL or ARN, or null: use the output undelivered_queue_name of modules/function."
  }
}
