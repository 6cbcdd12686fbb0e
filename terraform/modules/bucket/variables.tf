# Checked by the root module, which is where users set them.

variable "force_destroy" {
  type        = bool
  description = "Whether destroying may delete a bucket that still holds objects."
  default     = false
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the bucket."
  nullable    = false
}

variable "tags" {
  type        = map(string)
  description = "Tags of the bucket."
  default     = {}
  nullable    = false
}
