# What a deployment can choose; only the two bucket names must be chosen, for they are unique in the world.

variable "asynchronous" {
  type = object({
    maximum_retry_attempts       = optional(number, 2)
    maximum_event_age_in_seconds = optional(number, 21600)
  })
  description = "How often, and for how many seconds after the upload, Lambda retries an event before it goes to the failure queue."
  default     = {}
  nullable    = false

  validation {
    condition     = contains([0, 1, 2], var.asynchronous.maximum_retry_attempts)
    error_message = "asynchronous.maximum_retry_attempts must be 0, 1 or 2: Lambda retries no more often."
  }

  validation {
    condition     = var.asynchronous.maximum_event_age_in_seconds >= 60 && var.asynchronous.maximum_event_age_in_seconds <= 21600
    error_message = "asynchronous.maximum_event_age_in_seconds must be from 60 to 21600 (6 hours)."
  }
}

variable "destination_bucket" {
  type        = string
  description = "Name of the bucket that is made for the resized images."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.destination_bucket))
    error_message = "destination_bucket must be 3 to 63 lower-case letters, digits, dots and hyphens, and begin and end with a letter or digit."
  }

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

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs has: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "memory_size" {
  type        = number
  description = "MiB of memory of the function. Lambda gives processor time in proportion: 1769 is one whole processor, which one image can use."
  default     = 1769
  nullable    = false

  validation {
    condition     = var.memory_size >= 256 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number from 256 (less than that leaves no room for an image) to 10240."
  }
}

variable "name" {
  type        = string
  description = "Name of the function, and the beginning of the names of its role, policy and queue. Role and policy names are unique in an account: a second pipeline needs another name."
  default     = "Lambda-image"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,56}$", var.name))
    error_message = "name must be 1 to 56 letters, digits, hyphens and underscores: the longest name made of it, -failures included, must fit in Lambda's and IAM's 64."
  }
}

variable "package" {
  type = object({
    path = optional(string)
  })
  description = "The built function: path of its zip, whose manifest lies beside it; null is dist/function.zip, which \"invoke build\" makes."
  default     = {}
  nullable    = false

  validation {
    condition     = try(endswith(var.package.path, ".zip"), var.package.path == null)
    error_message = "package.path must end in .zip: give the path that \"invoke build\" printed."
  }
}

variable "renditions" {
  type = map(object({
    scale = optional(number, 0.5)
  }))
  description = "What is made of every image: the rendition's name, which begins the output's file name, to its scale (output side / source side)."
  default     = { resized = {} }
  nullable    = false

  validation {
    condition     = length(var.renditions) > 0
    error_message = "renditions must name at least one, such as { resized = { scale = 0.5 } }."
  }

  validation {
    condition     = alltrue([for name in keys(var.renditions) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name))])
    error_message = "Each name in renditions must be lower-case letters, digits and single hyphens."
  }

  validation {
    condition     = alltrue([for rendition in values(var.renditions) : rendition.scale > 0 && rendition.scale <= 1])
    error_message = "Each scale in renditions must be above 0 and at most 1: nothing is enlarged."
  }

  validation {
    condition = alltrue([
      for pair in setproduct(keys(var.renditions), keys(var.renditions)) : !startswith(pair[0], "${pair[1]}-")
    ])
    error_message = "No name in renditions may begin with another and a hyphen, as \"a-b\" does with \"a\": a-b-cake.jpg would have two sources. Rename one of them."
  }
}

variable "source_bucket" {
  type        = string
  description = "Name of the bucket that is made for the uploads."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.source_bucket))
    error_message = "source_bucket must be 3 to 63 lower-case letters, digits, dots and hyphens, and begin and end with a letter or digit."
  }
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

  validation {
    condition     = var.timeout >= 10 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout must be a whole number of seconds from 10 (less would not outlast one slow answer of S3) to 900."
  }
}
