# Which bucket notifies which function.

variable "bucket" {
  type        = string
  description = "Name of the bucket. Whatever notifications it has are replaced."
  nullable    = false
}

variable "function_arn" {
  type        = string
  description = "ARN of the function, which must already permit this bucket to invoke it."
  nullable    = false
}
