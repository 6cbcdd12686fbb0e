# The bucket names differ between accounts. The version is for a rollback.

variable "alias_version" {
  type        = string
  description = "The version that the alias invokes; null means the one that the apply publishes."
  default     = null
}

variable "bucket_prefix" {
  type        = string
  description = "Beginning of the bucket names, which are unique across all of AWS."
  nullable    = false
}
