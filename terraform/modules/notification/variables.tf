# The bucket, and what it notifies.

variable "bucket" {
  type        = string
  description = "Name of the bucket. All notifications that it has are replaced."
  nullable    = false
}

variable "eventbridge" {
  type        = bool
  description = "Whether the bucket sends its events to EventBridge, where any number of rules can match them."
  default     = false
  nullable    = false
}

variable "lambda_notification" {
  type = list(object({
    id                  = string
    lambda_function_arn = string
    events              = list(string)
    filter_prefix       = optional(string)
    filter_suffix       = optional(string)
  }))
  description = "The functions that the bucket invokes: the output lambda_notification of modules/function, or several of these outputs concatenated. Each function must already permit it."
  default     = []
  nullable    = false

  validation {
    condition     = length(var.lambda_notification) <= 100
    error_message = "lambda_notification has ${length(var.lambda_notification)} entries, and S3 allows 100 for a bucket: use fewer filters, or EventBridge."
  }
}
