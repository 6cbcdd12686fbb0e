# The bucket names differ between accounts.

variable "bucket_prefix" {
  type        = string
  description = "Beginning of the bucket names, which are unique across all of AWS."
  nullable    = false
}
