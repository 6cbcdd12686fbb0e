# Checked by the root module, which is where users set them.

variable "asynchronous" {
  type = object({
    maximum_retry_attempts       = optional(number, 2)
    maximum_event_age_in_seconds = optional(number, 21600)
  })
  description = "How often, and for how many seconds after the upload, Lambda retries an event before it goes to the failure queue."
  default     = {}
  nullable    = false
}

variable "destination_bucket" {
  type        = string
  description = "Name of the bucket that the function writes to."
  nullable    = false
}

variable "log_retention_days" {
  type        = number
  description = "Days that the function's log is kept; 0 keeps it for ever."
  default     = 30
  nullable    = false
}

variable "memory_size" {
  type        = number
  description = "MiB of memory of the function."
  default     = 1769
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the function, and the beginning of the names of its role, policy and queue."
  default     = "Lambda-image"
  nullable    = false
}

variable "package" {
  type = object({
    path = string
  })
  description = "The built function: path of its zip, whose manifest lies beside it."
  nullable    = false
}

variable "renditions" {
  type = map(object({
    scale = optional(number, 0.5)
  }))
  description = "What is made of every image: the rendition's name to its scale (output side / source side)."
  default     = { resized = {} }
  nullable    = false
}

variable "source_bucket" {
  type        = string
  description = "Name of the bucket that the function reads from."
  nullable    = false
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything that can have tags."
  default     = {}
  nullable    = false
}

variable "timeout" {
  type        = number
  description = "Seconds that one invocation may take."
  default     = 120
  nullable    = false
}
