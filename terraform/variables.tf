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

variable "batch_operations" {
  type        = bool
  description = "Whether there is a role for S3 Batch Operations, whose jobs call the function for objects that are there already. Manifests and reports of jobs are below batch-operations/NAME/ in the destination bucket."
  default     = false
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

variable "filters" {
  type = list(object({
    prefix = optional(string, "")
    suffix = optional(string, "")
  }))
  description = "Which uploads are resized: those whose key begins with the prefix and ends with the suffix of one of these. Both are literal and case-sensitive: \".jpg\" is not for photo.JPG. No two may be able to fit one key."
  default     = [{}]
  nullable    = false
}

variable "force_destroy" {
  type        = bool
  description = "Whether destroying may delete buckets that still hold images."
  default     = false
  nullable    = false
}

variable "function" {
  type = object({
    memory_size                    = optional(number, 1769)
    timeout                        = optional(number, 120)
    ephemeral_storage_size         = optional(number, 512)
    reserved_concurrent_executions = optional(number)
    tracing                        = optional(bool, false)
    vpc = optional(object({
      subnet_ids         = list(string)
      security_group_ids = list(string)
    }))
  })
  description = "What the Lambda function has. memory_size: MiB, which give processor time in proportion; 1769 are one whole processor, one image cannot use more, and below 256 there is no room for one. timeout: seconds of one invocation; the largest image that fits the default memory takes a few, the rest is for a slow S3. ephemeral_storage_size: MiB of /tmp, which the function does not use. reserved_concurrent_executions: how many run at once at most; null is as many as the account has left, and 0 stops all, each event going to the failure queue at once. tracing: by X-Ray. vpc: must have ways to S3, SQS and CloudWatch Logs."
  default     = {}
  nullable    = false
}

variable "kms_key_arns" {
  type = object({
    source_bucket      = optional(string)
    destination_bucket = optional(string)
    environment        = optional(string)
    log_group          = optional(string)
    queues             = optional(string)
  })
  description = "ARNs of the customer-managed KMS keys that encrypt the two buckets, the function's environment variables, its log group and its queues; null is AWS's own encryption. The policy of the log group's key must let CloudWatch Logs use it, and that of the queues' EventBridge where that is the trigger."
  default     = {}
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

variable "metadata" {
  type        = string
  description = "What outputs keep of EXIF and XMP: \"none\", \"copyright\" (artist and copyright) or \"all\" (with orientation and dimensions corrected). Colour profiles are always kept."
  default     = "copyright"
  nullable    = false
}

variable "mirror_deletes" {
  type        = bool
  description = "Whether the outputs of a source object are removed when it is."
  default     = false
  nullable    = false
}

variable "monitoring" {
  type = object({
    enabled         = optional(bool, true)
    alarm_topic_arn = optional(string)
    runbook         = optional(string, "docs/runbook.md")
    thresholds = optional(object({
      errors            = optional(number, 3)
      throttled_minutes = optional(number, 30)
      timeout_percent   = optional(number, 80)
      failure_age_hours = optional(number, 24)
      rejected_percent  = optional(number, 10)
      rejected_uploads  = optional(number, 20)
    }), {})
  })
  description = "Metrics made of the function's log, alarms and a dashboard, at US$ 6 to 8 a month: 2.70 for 9 metrics, 0.30 for each reason of rejections that occurs, 0.70 for the alarms, 3 for the dashboard; of an account's, the first 10 metrics, 10 alarms and 3 dashboards are free. enabled: false makes none of it. alarm_topic_arn: the SNS topic that is told of alarms; null is nobody. runbook: where it is, for each alarm to name its heading there. thresholds: when the alarms begin, as in modules/monitoring."
  default     = {}
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the function and of its EventBridge rule, and the beginning of the names of its roles (-role, -jobs), policies (-policy, -jobs) and queues (-failures, -undelivered). Role and policy names are unique in an account: a second pipeline needs another name. Another name replaces all of them, with what the queues and the log hold."
  default     = "Lambda-image"
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
  description = "The built function. {} is dist/function.zip of a clone. Either the path of its zip, whose manifest lies beside it, as \"invoke build\" makes both; or the object in S3 with the sha256 of the zip (base64), its runtime and its architecture, as \"invoke publish --bucket NAME\" prints them."
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

variable "role" {
  type = object({
    path                     = optional(string, "/")
    permissions_boundary_arn = optional(string)
  })
  description = "Path of the roles and their policies in IAM, and the ARN of the policy that bounds what the roles may do."
  default     = {}
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

variable "trigger" {
  type        = string
  description = "What tells the function of uploads: \"s3\", the bucket's own notification, of which it has only one configuration; \"eventbridge\", a rule of our own, for a bucket whose notification configuration enables EventBridge; or \"both\", the step between, so that no upload is lost on the way from one to the other."
  default     = "s3"
  nullable    = false
}
