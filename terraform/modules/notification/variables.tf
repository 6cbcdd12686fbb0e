# Which bucket notifies what.

variable "bucket" {
  type        = string
  description = "Name of the bucket. Whatever notifications it has are replaced."
  nullable    = false
}

variable "eventbridge" {
  type        = bool
  description = "Whether the bucket sends its events to EventBridge, for every rule there that wants them."
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
  description = "Which functions the bucket invokes: the output of the same name of modules/function, or those of several, concatenated. Each function must already permit it."
  default     = []
  nullable    = false
}
