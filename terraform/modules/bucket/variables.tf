# Settings of a bucket. The validations reject a wrong name in the plan, not half-way through an apply.
# The bucket itself must depend on no variable but its name and tags. A policy statement, a key or a log bucket can then refer to
# resources that refer to this bucket, such as a distribution. Terraform would find a cycle in one object of all settings.

variable "cors_rules" {
  type = list(object({
    allowed_origins = list(string)
    allowed_methods = list(string)
    allowed_headers = optional(list(string), [])
    expose_headers  = optional(list(string), [])
    max_age_seconds = optional(number)
  }))
  description = "Which websites may call the bucket from a browser, as in aws_s3_bucket_cors_configuration. The policy or a presigned URL must also allow the request."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.cors_rules : length(one.allowed_methods) > 0 && length(setsubtract(one.allowed_methods, ["GET", "HEAD", "PUT", "POST", "DELETE"])) == 0])
    error_message = "Each of cors_rules needs allowed_methods out of GET, HEAD, PUT, POST and DELETE; S3 handles OPTIONS itself."
  }

  validation {
    condition     = alltrue([for one in var.cors_rules : length(one.allowed_origins) > 0])
    error_message = "Each of cors_rules needs allowed_origins, such as \"https://www.example.com\"."
  }
}

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

variable "lifecycle_rules" {
  type = list(object({
    id              = string
    prefix          = optional(string, "")
    expiration_days = optional(number)
    transitions = optional(list(object({
      days          = number
      storage_class = string
    })), [])
  }))
  description = "Rules in addition to the module's own, \"tidy\". id: a unique name. prefix: the keys to which the rule applies; \"\" is all. expiration_days: how many days after its creation S3 deletes an object. transitions: after how many days an object moves to which storage class."
  default     = []
  nullable    = false

  validation {
    condition     = length(setunion(var.lifecycle_rules[*].id, ["tidy"])) == length(var.lifecycle_rules) + 1
    error_message = "Each id in lifecycle_rules must be unique, and \"tidy\" is the module's own rule: rename one of ${join(", ", var.lifecycle_rules[*].id)}."
  }

  validation {
    condition     = alltrue([for one in var.lifecycle_rules : one.expiration_days != null || length(one.transitions) > 0])
    error_message = "Each of lifecycle_rules needs expiration_days or transitions."
  }

  validation {
    condition = alltrue(flatten([
      for one in var.lifecycle_rules : [
        one.expiration_days == null || try(one.expiration_days >= 1 && floor(one.expiration_days) == one.expiration_days, false),
        [for move in one.transitions : move.days >= 0 && floor(move.days) == move.days && (one.expiration_days == null || try(move.days < one.expiration_days, false))],
      ]
    ]))
    error_message = "In lifecycle_rules, expiration_days must be a whole number from 1, and the days of each transition a whole number below it."
  }

  validation {
    condition = alltrue(flatten([
      for one in var.lifecycle_rules : [
        for move in one.transitions :
        contains(["STANDARD_IA", "ONEZONE_IA"], move.storage_class) ? move.days >= 30 : contains(["INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], move.storage_class)
      ]
    ]))
    error_message = "Each storage_class in lifecycle_rules must be STANDARD_IA or ONEZONE_IA, both after at least 30 days, or INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE."
  }
}

variable "logging" {
  type = object({
    target_bucket = string
    target_prefix = optional(string, "")
  })
  description = "Where S3 writes the bucket's access log: another bucket in the region and account, whose policy lets logging.s3.amazonaws.com put objects, and the prefix of the log's keys. null writes no log."
  default     = null

  validation {
    condition     = var.logging == null || try(var.logging.target_bucket != var.name, false)
    error_message = "logging.target_bucket must differ from the bucket itself: S3 would log each delivery of its own log."
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

variable "policy_statements" {
  type = list(object({
    sid        = string
    effect     = optional(string, "Allow")
    principals = map(list(string))
    actions    = list(string)
    resources  = optional(list(string), ["/*"])
    conditions = optional(map(map(list(string))), {})
  }))
  description = "Statements to add to the bucket's policy; another aws_s3_bucket_policy would replace it. principals and conditions: as in a policy's JSON, with every value in a list. resources: each is added to the bucket's ARN: \"/*\" is all objects, \"/thumbs/*\" some, \"\" the bucket itself."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.policy_statements : can(regex("^[A-Za-z0-9]+$", one.sid))])
    error_message = "Each sid in policy_statements must be letters and digits, such as \"CloudFrontMayRead\"."
  }

  validation {
    condition     = length(setunion(var.policy_statements[*].sid, ["OnlyOverTls"])) == length(var.policy_statements) + 1
    error_message = "Each sid in policy_statements must be unique, and \"OnlyOverTls\" is the module's own: rename one of ${join(", ", var.policy_statements[*].sid)}."
  }

  validation {
    condition     = alltrue([for one in var.policy_statements : contains(["Allow", "Deny"], one.effect)])
    error_message = "Each effect in policy_statements must be Allow or Deny."
  }

  validation {
    condition     = alltrue([for one in var.policy_statements : length(one.principals) > 0 && length(setsubtract(keys(one.principals), ["AWS", "CanonicalUser", "Federated", "Service"])) == 0])
    error_message = "Each principals in policy_statements must have the keys AWS, Service, Federated or CanonicalUser, such as { Service = [\"cloudfront.amazonaws.com\"] }; { AWS = [\"*\"] } is everyone."
  }

  validation {
    condition     = alltrue([for one in var.policy_statements : length(one.actions) > 0 && alltrue([for action in one.actions : startswith(action, "s3:")])])
    error_message = "Each of policy_statements needs actions that begin with \"s3:\", such as \"s3:GetObject\"."
  }

  validation {
    condition     = alltrue([for one in var.policy_statements : length(one.resources) > 0 && alltrue([for path in one.resources : path == "" || startswith(path, "/")])])
    error_message = "Each of resources in policy_statements must begin with a slash or be empty: it is added to the bucket's ARN. \"/*\" is all objects, \"\" the bucket itself."
  }

  validation {
    condition     = alltrue([for one in var.policy_statements : one.effect == "Deny" || length(one.conditions) > 0 || !contains(flatten(values(one.principals)), "*")])
    error_message = "A statement in policy_statements allows everyone, which the bucket's public access block refuses: name the principal or add conditions. To serve images to everyone, put CloudFront in front of the bucket."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags for the bucket."
  default     = {}
  nullable    = false
}
