# What the function can be given; a wrong value is refused here, with what to do, before anything is made.

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
    condition = (
      var.asynchronous.maximum_event_age_in_seconds >= 60
      && var.asynchronous.maximum_event_age_in_seconds <= 21600
      && floor(var.asynchronous.maximum_event_age_in_seconds) == var.asynchronous.maximum_event_age_in_seconds
    )
    error_message = "asynchronous.maximum_event_age_in_seconds must be a whole number from 60 to 21600 (6 hours): Lambda keeps an event no longer."
  }
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

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one that CloudWatch Logs has: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "max_pixels" {
  type        = number
  description = "The most pixels that a source may have, all frames together; null leaves it to the memory."
  default     = null

  validation {
    condition     = var.max_pixels == null || try(var.max_pixels >= 1 && floor(var.max_pixels) == var.max_pixels, false)
    error_message = "max_pixels must be a whole number from 1, or null for as many as the memory holds."
  }
}

variable "memory_size" {
  type        = number
  description = "MiB of memory of the function."
  default     = 1769
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be a whole number of MiB from 128 to 10240, which is what Lambda has."
  }
}

variable "metadata" {
  type        = string
  description = "What outputs keep of EXIF and XMP: \"none\", \"copyright\" (artist and copyright) or \"all\" (with orientation and dimensions corrected). Colour profiles are always kept."
  default     = "copyright"
  nullable    = false

  validation {
    condition     = contains(["none", "copyright", "all"], var.metadata)
    error_message = "metadata must be none, copyright or all."
  }
}

variable "name" {
  type        = string
  description = "Name of the function, and the beginning of the names of its role, policy and queue."
  default     = "Lambda-image"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,59}$", var.name))
    error_message = "name must be 1 to 59 letters, digits, hyphens and underscores: with \"-role\" it must fit in the 64 that IAM allows."
  }
}

variable "package" {
  type = object({
    path = string
  })
  description = "The built function: path of its zip, whose manifest lies beside it."
  nullable    = false

  validation {
    condition     = endswith(var.package.path, ".zip")
    error_message = "package.path must end in .zip: give the path that \"invoke build\" printed."
  }
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

  validation {
    condition     = length(var.renditions) > 0
    error_message = "renditions must name at least one, such as { resized = { scale = 0.5 } }."
  }

  validation {
    condition     = alltrue([for name in keys(var.renditions) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name))])
    error_message = "Each name in renditions must be lower-case letters, digits and single hyphens: it begins the file name of an output."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one != null])
    error_message = "Each of renditions must be an object such as { scale = 0.5 }, not null."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : (one.scale == null) != (one.width == null && one.height == null) if one != null])
    error_message = "Each of renditions must set either scale, or width, height or both."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.scale == null || try(one.scale > 0 && one.scale <= 1, false) if one != null])
    error_message = "Each scale in renditions must be above 0 and at most 1: nothing is enlarged."
  }

  validation {
    condition = alltrue([
      for side in flatten([for one in values(var.renditions) : [one.width, one.height] if one != null]) :
      side == null || try(side >= 1 && floor(side) == side, false)
    ])
    error_message = "Each width and height in renditions must be a whole number of pixels from 1."
  }

  validation {
    condition = alltrue([
      for one in values(var.renditions) :
      one.fit == "inside" || (one.fit == "cover" && one.width != null && one.height != null)
      if one != null
    ])
    error_message = "Each fit in renditions must be \"inside\", or \"cover\" with both width and height."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.format == null || contains(["jpeg", "png", "webp", "avif"], coalesce(one.format, "jpeg")) if one != null])
    error_message = "Each format in renditions must be jpeg, png, webp or avif, or null for the source's own."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.quality == null || try(one.quality >= 1 && one.quality <= 100 && floor(one.quality) == one.quality, false) if one != null])
    error_message = "Each quality in renditions must be a whole number from 1 to 100, or null for the format's own."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : can(regex("^#[0-9a-fA-F]{6}$", one.background)) if one != null])
    error_message = "Each background in renditions must be a colour such as \"#ffffff\"."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.cache_control == null || can(regex("^[ -~]+$", one.cache_control)) if one != null])
    error_message = "Each cache_control in renditions must be printable ASCII, such as \"max-age=31536000\", or null to copy the source's."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.storage_class == null || contains(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], coalesce(one.storage_class, "STANDARD")) if one != null])
    error_message = "Each storage_class in renditions must be STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR, or null."
  }

  validation {
    condition     = alltrue([for name, one in var.renditions : can(regex(local.key_pattern, replace(one.key, "{rendition}", name))) if one != null])
    error_message = "Each key in renditions must hold {dir} once and then {name} once, may hold {rendition}, {stem} and {ext}, what stands before {dir} must end in a slash, and what stands behind {name} may hold none."
  }
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

  validation {
    condition     = !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "No key in tags may begin with \"aws:\", which AWS keeps for itself: rename it."
  }
}

variable "timeout" {
  type        = number
  description = "Seconds that one invocation may take."
  default     = 120
  nullable    = false

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900 && floor(var.timeout) == var.timeout
    error_message = "timeout must be a whole number of seconds from 1 to 900, which is what Lambda allows."
  }
}
