# What differs from account to account.

variable "bucket_prefix" {
  type        = string
  description = "What the names of the buckets begin with: they are unique in the world."
  nullable    = false
}

variable "package" {
  type = object({
    path = optional(string)
    s3 = optional(object({
      bucket  = string
      key     = string
      version = optional(string)
    }))
    sha256       = optional(string)
    runtime      = optional(string)
    architecture = optional(string)
  })
  description = "The built function: what \"invoke publish --bucket NAME\" prints, or { path = ... }."
  default     = { path = "../../../dist/function.zip" }
  nullable    = false
}
