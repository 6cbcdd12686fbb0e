# Settings of a bucket. The validations reject a wrong name in the plan, not half-way through an apply.

variable "force_destroy" {
  type        = bool
  description = "Whether terraform destroy may delete a bucket that still holds objects."
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the customer-managed KMS key that encrypts the bucket's objects; null uses S3's own encryption."
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by its ARN."
  }
}

variable "name" {
  type        = string
  description = "Name of the bucket."
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name must be 3 to 63 lower-case letters, digits, dots and hyphens, and begin and end with a letter or digit: change \"${var.name}\"."
  }

  validation {
    condition     = !can(regex("[.][.]|^[0-9]+([.][0-9]+){3}$", var.name))
    error_message = "A bucket's name must not have two dots in a row or be an IP address: use hyphens in \"${var.name}\"."
  }

  validation {
    condition     = !can(regex("^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|[.]mrap|--x-s3|--table-s3|-an)$", var.name))
    error_message = "\"${var.name}\" begins or ends with a string that S3 reserves (xn--, sthree-, amzn-s3-demo-; -s3alias, --ol-s3, .mrap, --x-s3, --table-s3, -an): choose another bucket name."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags for the bucket."
  default     = {}
  nullable    = false
}
