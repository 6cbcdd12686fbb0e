# What a deployment can choose; only the two bucket names must be chosen, for they are unique in the world.
# The modules check what is passed on to them; only what concerns several of them is checked here.

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
  description = "Name of the bucket that is made for the resized images."
  nullable    = false

  validation {
    condition     = var.destination_bucket != var.source_bucket
    error_message = "destination_bucket must differ from source_bucket: each resized image would itself be an upload to resize, in an endless and costly loop."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether destroying may delete buckets that still hold images."
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  type        = number
  description = "Days that the function's log is kept; 0 keeps it for ever."
  default     = 30
  nullable    = false
}

variable "max_pixels" {
  type        = number
  description = "The most pixels that a source may have, all frames together; null leaves it to the memory."
  default     = null
}

variable "memory_size" {
  type        = number
  description = "MiB of memory of the function. Lambda gives processor time in proportion: 1769 is one whole processor, and one image cannot use more. Below 256 there is no room for an image."
  default     = 1769
  nullable    = false
}

variable "metadata" {
  type        = string
  description = "What outputs keep of EXIF and XMP: \"none\", \"copyright\" (artist and copyright) or \"all\" (with orientation and dimensions corrected). Colour profiles are always kept."
  default     = "copyright"
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the function, and the beginning of the names of its role, policy and queue. Role and policy names are unique in an account: a second pipeline needs another name."
  default     = "Lambda-image"
  nullable    = false
}

variable "package" {
  type = object({
    path = optional(string)
  })
  description = "The built function: path of its zip, whose manifest lies beside it; null is dist/function.zip, which \"invoke build\" makes."
  default     = {}
  nullable    = false
}

variable "renditions" {
  type = map(object({
    scale         = optional(number)
    width         = optional(number)
    height        = optional(number)
    fit           = optional(string, "inside")
    format        = optional(string)
    quality       = optional(number)
    key           = optional(string, "{dir}{rendition}-{name}")
    background    = optional(string, "#ffffff")
    cache_control = optional(string)
    storage_class = optional(string)
  }))
  description = "What is made of every image, by name. scale (output side / source side), or width, height or both in pixels with fit \"inside\" or \"cover\"; format (jpeg, png, webp, avif; null keeps the source's), quality, key, background, cache_control and storage_class."
  default     = { resized = { scale = 0.5 } }
  nullable    = false
}

variable "source_bucket" {
  type        = string
  description = "Name of the bucket that is made for the uploads."
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
  description = "Seconds that one invocation may take. The largest image that fits the default memory takes a few; the rest is for a slow S3."
  default     = 120
  nullable    = false
}
