# Settings of a deployment. Only the two bucket names are required: they are unique across all of AWS.
# The modules validate the values that they receive; this file validates only what concerns several modules.

variable "alias" {
  type = object({
    name            = string
    version         = optional(string)
    weights         = optional(map(number), {})
    receives_events = optional(bool, true)
  })
  description = "An alias of the function, such as { name = \"live\" }: each apply that changes the code or the settings publishes a version, and triggers invoke the alias instead of the function. version: the version that the alias invokes, such as \"12\", for a rollback; null means the one that the apply publishes. weights: a second version and its share of the invocations, such as { \"12\" = 0.9 }. receives_events: false makes triggers invoke the function itself; apply this before you remove or rename the alias. null makes no alias."
  default     = null
}

variable "asynchronous" {
  type = object({
    maximum_retry_attempts       = optional(number, 2)
    maximum_event_age_in_seconds = optional(number, 21600)
  })
  description = "How many times, and until how many seconds after the upload, Lambda retries an event before it sends the event to the failure queue."
  default     = {}
  nullable    = false
}

variable "batch_operations" {
  type        = bool
  description = "Whether to create a role for S3 Batch Operations, whose jobs call the function for existing objects. Jobs keep their manifests and reports under batch-operations/NAME/ in the destination bucket."
  default     = false
  nullable    = false
}

variable "content_credentials" {
  type = object({
    kms_key_arn       = optional(string)
    certificate_chain = optional(string)
    secret_arn        = optional(string)
  })
  description = "The key that signs Content Credentials (C2PA) for every output; null signs none. The package must be built with \"invoke build --c2pa\". Set kms_key_arn, an asymmetric KMS key for signing (ECC_NIST_P256), with certificate_chain, its certificate and those of its issuers in PEM; or secret_arn, a secret of Secrets Manager whose text is a private key (P-256) and its certificate chain in PEM."
  default     = null
}

variable "destination_bucket" {
  type        = string
  description = "Name of the bucket to create for the resized images."
  nullable    = false

  validation {
    condition     = var.destination_bucket != var.source_bucket
    error_message = "destination_bucket must differ from source_bucket: each resized image would itself be an upload to resize, in an endless and costly loop."
  }
}

variable "destination_bucket_options" {
  type = object({
    eventbridge = optional(bool, false)
    policy_statements = optional(list(object({
      sid        = string
      effect     = optional(string, "Allow")
      principals = map(list(string))
      actions    = list(string)
      resources  = optional(list(string), ["/*"])
      conditions = optional(map(map(list(string))), {})
    })), [])
    lifecycle_rules = optional(list(object({
      id              = string
      prefix          = optional(string, "")
      expiration_days = optional(number)
      transitions = optional(list(object({
        days          = number
        storage_class = string
      })), [])
    })), [])
    cors_rules = optional(list(object({
      allowed_origins = list(string)
      allowed_methods = list(string)
      allowed_headers = optional(list(string), [])
      expose_headers  = optional(list(string), [])
      max_age_seconds = optional(number)
    })), [])
    logging = optional(object({
      target_bucket = string
      target_prefix = optional(string, "")
    }))
  })
  description = "Additions to the destination bucket, as in source_bucket_options. policy_statements may refer to a distribution that refers to the bucket."
  default     = {}
  nullable    = false
}

variable "events" {
  type = object({
    eventbridge_bus_arn = optional(string)
    sns_topic_arn       = optional(string)
  })
  description = "Where to send a completion event for each settled state of an upload: written, rejected or, with mirror_deletes, removed; null sends none. Set either eventbridge_bus_arn, a bus of EventBridge, or sns_topic_arn, a standard topic of SNS. events/completion.schema.json describes the events."
  default     = null
}

variable "filters" {
  type = list(object({
    prefix = optional(string, "")
    suffix = optional(string, "")
  }))
  description = "Which uploads to resize: an upload's key must begin with the prefix and end with the suffix of one filter. Both are literal and case-sensitive: \".jpg\" does not match photo.JPG. No key may match two filters."
  default     = [{}]
  nullable    = false
}

variable "force_destroy" {
  type        = bool
  description = "Whether terraform destroy may delete buckets that still hold objects."
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
    environment_variables          = optional(map(string), {})
    layers                         = optional(list(string), [])
    code_signing_config_arn        = optional(string)
    vpc = optional(object({
      subnet_ids                         = list(string)
      security_group_ids                 = list(string)
      replace_security_groups_on_destroy = optional(bool, false)
    }))
  })
  description = "Configuration of the Lambda function. memory_size: in MiB, at least 256; CPU time is proportional to it. 1769 MiB gives one full vCPU; a single image can't use more. timeout: in seconds per invocation; the largest image that fits the default memory takes a few seconds, the rest allows for a slow S3. ephemeral_storage_size: in MiB of /tmp, which the function does not use. reserved_concurrent_executions: the most invocations at a time; null sets no limit, and 0 stops the function: every event then goes to the failure queue at once. tracing: whether X-Ray traces invocations. environment_variables: further variables, for your layers. layers: ARNs of layer versions. An extension takes its memory from memory_size, and the function does not know of it. code_signing_config_arn: the zip must then be signed, so package.s3 and package.sha256 must be those of the signed zip. vpc: needs routes to S3, SQS and CloudWatch Logs. Empty subnet_ids and security_group_ids take the function out of its VPC while its role can still delete network interfaces; do this up to an hour before you set vpc to null or destroy the function. replace_security_groups_on_destroy: whether terraform destroy moves the network interfaces to the VPC's default security group, so that yours can be deleted without waiting for them."
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
  description = "ARNs of the customer-managed KMS keys that encrypt the two buckets, the function's environment variables, its log group and its queues; null uses AWS's own encryption. The policy of the log group's key must allow CloudWatch Logs to use it. With EventBridge as a trigger, the policy of the queues' key must allow EventBridge to use it."
  default     = {}
  nullable    = false
}

variable "log_group" {
  type = object({
    create = optional(bool, true)
    name   = optional(string)
    class  = optional(string)
  })
  description = "The function's log group. create: false uses an existing log group, and ignores log_retention_days. name: null means /aws/lambda/ and the function's name. class: STANDARD or INFREQUENT_ACCESS, of a log group to create; null means STANDARD. INFREQUENT_ACCESS supports neither monitoring nor invoke logs. A new name or class replaces the log group, and deletes what it holds. Metrics come from the log group, so two pipelines with monitoring must not have one in common."
  default     = {}
  nullable    = false

  validation {
    condition     = var.log_group.class != "INFREQUENT_ACCESS" || !var.monitoring.enabled || !var.monitoring.metrics
    error_message = "log_group.class INFREQUENT_ACCESS has no metric filters, which monitoring needs: use STANDARD, or set monitoring = { metrics = false }."
  }
}

variable "log_levels" {
  type = object({
    application = optional(string)
    system      = optional(string)
  })
  description = "The least severe lines of the function (application) and of Lambda (system) that reach the log: INFO or WARN; null means Lambda's default, INFO. WARN hides lines that monitoring needs: those of written images, and Lambda's reports of memory and initialisation."
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(values(var.log_levels), "WARN") || !var.monitoring.enabled || !var.monitoring.metrics
    error_message = "The level WARN hides lines that monitoring counts, so its alarms would be wrong: use INFO, or set monitoring = { metrics = false }."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Number of days to keep the function's log; 0 keeps it forever."
  default     = 30
  nullable    = false
}

variable "manifest" {
  type        = bool
  description = "Whether every upload has a manifest beside its outputs, {dir}{name}.renditions.json: the size, bytes, media type and SHA-256 of each output, and the upload's version and size. Uploads with such a name are then ignored."
  default     = false
  nullable    = false
}

variable "max_pixels" {
  type        = number
  description = "The most pixels that a source image may have, in all frames together; null leaves the limit to the memory size."
  default     = null
}

variable "metadata" {
  type        = string
  description = "Which EXIF, XMP and IPTC metadata outputs keep: \"none\", \"copyright\" (credits, rights, licensor, and whether AI made the image) or \"all\" (corrected where it would no longer be true). Outputs always keep colour profiles."
  default     = "copyright"
  nullable    = false
}

variable "mirror_deletes" {
  type        = bool
  description = "Whether to remove the outputs of a source object when that object is removed."
  default     = false
  nullable    = false
}

variable "monitoring" {
  type = object({
    enabled          = optional(bool, true)
    metrics          = optional(bool, true)
    alarms           = optional(bool)
    alarm_topic_arns = optional(list(string), [])
    dashboard        = optional(bool, false)
    runbook          = optional(string, "docs/runbook.md")
    thresholds = optional(object({
      errors            = optional(number, 3)
      throttled_minutes = optional(number, 30)
      timeout_percent   = optional(number, 80)
      failure_age_hours = optional(number, 24)
      rejected_percent  = optional(number, 10)
      rejected_uploads  = optional(number, 20)
    }), {})
  })
  description = "Metrics from the function's log, alarms and a dashboard. enabled: false creates none of them. metrics: US$ 2.70 a month for 9 metrics, 0.30 for each rejection reason that occurs. alarms: US$ 0.80; null creates them if alarm_topic_arns has a topic. alarm_topic_arns: the SNS topics to notify of alarms. dashboard: US$ 3. An account's first 10 metrics, 10 alarms and 3 dashboards are free. runbook: its path or URL; each alarm links to its own heading there. thresholds: when alarms go off, as in modules/monitoring."
  default     = {}
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the function and its EventBridge rule. The names of its roles (-role, -jobs), policies (-policy, -jobs) and queues (-failures, -undelivered) begin with it. Role and policy names are unique in an account: a second pipeline needs another name. A new name replaces all of these, and deletes what the queues and the log hold."
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
  description = "The built function; {} means dist/function.zip, which is in a clone after a build, and in a module from a registry. Set either path, the zip that \"invoke build\" made with its manifest beside it, or s3 with the zip's sha256 (base64), runtime and architecture, as \"invoke publish --bucket NAME\" prints them."
  default     = {}
  nullable    = false
}

variable "placeholders" {
  type        = bool
  description = "Whether manifests and completion events have a placeholder of each upload: a ThumbHash, which a page draws as a blur before an output has loaded, and the dominant colour. Needs manifest or events."
  default     = false
  nullable    = false
}

variable "renditions" {
  type = map(object({
    scale         = optional(number)
    width         = optional(number)
    widths        = optional(list(number))
    height        = optional(number)
    fit           = optional(string, "inside")
    focus         = optional(string)
    format        = optional(string)
    formats       = optional(list(string))
    quality       = optional(number)
    ssimulacra2   = optional(number)
    hdr           = optional(string)
    key           = optional(string, "{dir}{rendition}-{name}")
    background    = optional(string, "#ffffff")
    cache_control = optional(string)
    storage_class = optional(string)
  }))
  description = "The outputs to make from every image, by name. Size: scale (output side / source side), or width, height or both in pixels with fit \"inside\", \"cover\" or \"contain\". Other options: focus (\"center\", \"entropy\" or \"metadata\": what cover keeps), format (jpeg, png, webp or avif; null keeps the source's), widths and formats (lists instead of width and format: one output for each width in each format, as NAME-WIDTH-FORMAT), quality or ssimulacra2 (the score to reach, 30 to 90), hdr (\"keep\", the default, or \"drop\" a JPEG's gain map), key, background, cache_control and storage_class."
  default     = { resized = { scale = 0.5 } }
  nullable    = false
}

variable "role" {
  type = object({
    create                   = optional(bool, true)
    arn                      = optional(string)
    path                     = optional(string, "/")
    permissions_boundary_arn = optional(string)
    force_detach_policies    = optional(bool, false)
  })
  description = "The function's role, and the role of batch_operations. create: false uses your own role for the function, with arn; attach the output role_policy_json to it. path and permissions_boundary_arn: of the roles that the module creates, and of their policies. The boundary must allow all that the roles may do, also sqs:SendMessage. force_detach_policies: whether terraform destroy detaches policies that others attached to these roles; otherwise it fails."
  default     = {}
  nullable    = false
}

variable "source_bucket" {
  type        = string
  description = "Name of the bucket to create for the uploads."
  nullable    = false
}

variable "source_bucket_options" {
  type = object({
    eventbridge = optional(bool, false)
    policy_statements = optional(list(object({
      sid        = string
      effect     = optional(string, "Allow")
      principals = map(list(string))
      actions    = list(string)
      resources  = optional(list(string), ["/*"])
      conditions = optional(map(map(list(string))), {})
    })), [])
    lifecycle_rules = optional(list(object({
      id              = string
      prefix          = optional(string, "")
      expiration_days = optional(number)
      transitions = optional(list(object({
        days          = number
        storage_class = string
      })), [])
    })), [])
    cors_rules = optional(list(object({
      allowed_origins = list(string)
      allowed_methods = list(string)
      allowed_headers = optional(list(string), [])
      expose_headers  = optional(list(string), [])
      max_age_seconds = optional(number)
    })), [])
    logging = optional(object({
      target_bucket = string
      target_prefix = optional(string, "")
    }))
  })
  description = "Additions to the source bucket. eventbridge: whether the bucket sends its events to EventBridge for rules of yours, whatever the trigger. As in modules/bucket: policy_statements for its policy, lifecycle_rules beside the module's own, cors_rules for requests from browsers, logging for an access log."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for one in [var.source_bucket_options.logging, var.destination_bucket_options.logging] : one == null || try(one.target_bucket != var.source_bucket, false)])
    error_message = "logging.target_bucket must not be source_bucket: each log file would be an upload to resize. Use another bucket for access logs."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags for every resource that can have tags."
  default     = {}
  nullable    = false
}

variable "trigger" {
  type        = string
  description = "The source of upload events. \"s3\": the bucket's notification configuration; a bucket has only one. \"eventbridge\": a rule that this module creates, for a bucket that sends its events to EventBridge. \"both\": the step between when you change from one to the other, so that no upload is missed."
  default     = "s3"
  nullable    = false
}
