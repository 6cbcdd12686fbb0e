# Settings of the function. Validations reject wrong values in the plan, and say what to do.

variable "alias" {
  type = object({
    name            = string
    version         = optional(string)
    weights         = optional(map(number), {})
    receives_events = optional(bool, true)
  })
  description = "An alias of the function, such as { name = \"live\" }: each apply that changes the code or the settings publishes a version, and triggers invoke the alias instead of the function. version: the version that the alias invokes, such as \"12\", for a rollback; null means the one that the apply publishes. weights: a second version and its share of the invocations, such as { \"12\" = 0.9 }. receives_events: false makes triggers invoke the function itself; apply this before you remove or rename the alias. null makes no alias."
  default     = null

  validation {
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
    condition     = var.alias == null || try(can(regex("^[A-Za-z0-9_-]{1,128}$", var.alias.name)) && !can(regex("^[0-9]+$", var.alias.name)), false)
    error_message = "alias.name must be 1 to 128 letters, digits, hyphens and underscores, and not only digits, such as \"live\"."
  }

  validation {
    condition     = try(var.alias.version, null) == null || can(regex("^[1-9][0-9]*$", var.alias.version))
    error_message = "alias.version must be the number of a published version, such as \"12\": the output function_version had it after an earlier apply. Leave it out for the version that the apply publishes."
  }

  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
    condition = alltrue([
      length(try(var.alias.weights, {})) <= 1,
      alltrue([
        for version, weight in try(var.alias.weights, {}) :
        can(regex("^[1-9][0-9]*$", version)) && try(weight >= 0 && weight <= 1, false)
      ]),
    ])
    error_message = "alias.weights must have at most one entry, the number of a version and its share from 0 to 1, such as { \"12\" = 0.9 }: Lambda splits invocations between two versions at most."
  }
}

variable "asynchronous" {
  type = object({
    maximum_retry_attempts       = optional(number, 2)
    maximum_event_age_in_seconds = optional(number, 21600)
  })
  description = "How many times, and until how many seconds after the upload, Lambda retries an event before it sends the event to the failure queue."
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

variable "batch_operations" {
  type        = bool
  description = "Whether to create a role for S3 Batch Operations, whose jobs call the function for existing objects. Jobs keep their manifests and reports under batch-operations/NAME/ in the destination bucket, whatever its prefix."
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

  validation {
    condition     = var.content_credentials == null || (try(var.content_credentials.kms_key_arn, null) == null) != (try(var.content_credentials.secret_arn, null) == null)
    error_message = "content_credentials must set either kms_key_arn with certificate_chain, or secret_arn."
  }

  validation {
    condition     = (try(var.content_credentials.kms_key_arn, null) == null) == (try(var.content_credentials.certificate_chain, null) == null)
    error_message = "content_credentials.certificate_chain belongs to kms_key_arn: set both, or neither. A secret has the certificates beside its key."
  }

  validation {
    condition     = try(var.content_credentials.kms_key_arn, null) == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.content_credentials.kms_key_arn))
    error_message = "content_credentials.kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by its ARN."
  }

  validation {
    condition     = try(var.content_credentials.certificate_chain, null) == null || can(regex("^\\s*-----BEGIN CERTIFICATE-----[\\s\\S]*-----END CERTIFICATE-----\\s*$", var.content_credentials.certificate_chain))
    error_message = "content_credentials.certificate_chain must be certificates in PEM, the key's own first, such as file(\"chain.pem\")."
  }

  validation {
    condition     = try(var.content_credentials.secret_arn, null) == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$", var.content_credentials.secret_arn))
    error_message = "content_credentials.secret_arn must be the ARN of a secret, arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
  }
}

variable "destination_bucket" {
  type = object({
    name        = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
  })
  description = "The bucket that the function writes to. prefix: a folder that every output's key begins with. kms_key_arn: ARN of the customer-managed KMS key that encrypts the bucket."
  nullable    = false

  validation {
    # Looser than the rules for new buckets, because old buckets may have other names.
    condition     = can(regex("^[A-Za-z0-9._-]{3,255}$", var.destination_bucket.name))
    error_message = "destination_bucket.name must be the bucket's name alone, such as \"my-images\": no ARN, no s3:// and no key."
  }

  validation {
    condition     = !can(regex("(-s3alias|--ol-s3|[.]mrap|--x-s3|--table-s3)$", var.destination_bucket.name))
    error_message = "destination_bucket.name must be a general purpose bucket: a directory bucket, a table bucket and an access point's alias have other ARNs and no notifications. Name the bucket itself."
  }

  validation {
    # A policy may have only Latin-1 characters, and * and ? are wildcards there.
    condition     = can(regex("^([^/*?{}[:cntrl:]][^*?{}[:cntrl:]]*/)?$", var.destination_bucket.prefix)) && can(regex("^[ -~\u00a0-\u00ff]*$", var.destination_bucket.prefix))
    error_message = "destination_bucket.prefix must be a folder, such as \"resized/\": it ends with a slash, does not begin with one, and has only Latin-1 characters other than * ? { }."
  }

  validation {
    condition     = var.destination_bucket.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.destination_bucket.kms_key_arn))
    error_message = "destination_bucket.kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by its ARN."
  }
}

variable "events" {
  type = object({
    eventbridge_bus_arn = optional(string)
    sns_topic_arn       = optional(string)
  })
  description = "Where to send a completion event for each settled state of an upload: written, rejected or, with mirror_deletes, removed; null sends none. Set either eventbridge_bus_arn, a bus of EventBridge, or sns_topic_arn, a standard topic of SNS. events/completion.schema.json describes the events."
  default     = null

  validation {
    condition     = var.events == null || (try(var.events.eventbridge_bus_arn, null) == null) != (try(var.events.sns_topic_arn, null) == null)
    error_message = "events must set either eventbridge_bus_arn or sns_topic_arn."
  }

  validation {
    condition     = try(var.events.eventbridge_bus_arn, null) == null || can(regex("^arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]+$", var.events.eventbridge_bus_arn))
    error_message = "events.eventbridge_bus_arn must be the ARN of a bus, arn:aws:events:REGION:ACCOUNT:event-bus/NAME: a partner's bus takes no other events."
  }

  validation {
    condition     = try(var.events.sns_topic_arn, null) == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.events.sns_topic_arn))
    error_message = "events.sns_topic_arn must be the ARN of a standard topic, arn:aws:sns:REGION:ACCOUNT:NAME: a FIFO topic does not order uploads."
  }
}

variable "filters" {
  type = list(object({
    prefix = optional(string, "")
    suffix = optional(string, "")
  }))
  description = "Which uploads to resize: after the source's prefix, an upload's key must begin with the prefix and end with the suffix of one filter. Both are literal and case-sensitive: \".jpg\" does not match photo.JPG. No key may match two filters."
  default     = [{}]
  nullable    = false

  validation {
    condition     = length(var.filters) >= 1 && length(var.filters) <= 100 && alltrue([for filter in var.filters : filter != null])
    error_message = "filters must be 1 to 100 objects, S3's limit for a bucket: leave it out, or set it to [{}], to resize every upload."
  }

  validation {
    condition     = alltrue([for filter in var.filters : !can(regex("[*]", "${filter.prefix}${filter.suffix}")) if filter != null])
    error_message = "Each prefix and suffix in filters is literal, and \"*\" is no wildcard: suffix = \".jpg\" matches every key that ends with .jpg."
  }
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

  validation {
    condition     = var.function.memory_size >= 256 && var.function.memory_size <= 10240 && floor(var.function.memory_size) == var.function.memory_size
    error_message = "function.memory_size must be a whole number of MiB from 256, the least that an image needs, to 10240, Lambda's maximum."
  }

  validation {
    condition     = var.function.timeout >= 1 && var.function.timeout <= 900 && floor(var.function.timeout) == var.function.timeout
    error_message = "function.timeout must be a whole number of seconds from 1 to 900, Lambda's maximum."
  }

  validation {
    condition     = var.function.ephemeral_storage_size >= 512 && var.function.ephemeral_storage_size <= 10240 && floor(var.function.ephemeral_storage_size) == var.function.ephemeral_storage_size
    error_message = "function.ephemeral_storage_size must be a whole number of MiB from 512 to 10240, Lambda's range."
  }

  validation {
    condition     = var.function.reserved_concurrent_executions == null || try(var.function.reserved_concurrent_executions >= 0 && floor(var.function.reserved_concurrent_executions) == var.function.reserved_concurrent_executions, false)
    error_message = "function.reserved_concurrent_executions must be a whole number from 0, which stops the function, or null for no limit."
  }

  validation {
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    condition = alltrue([
      for name, value in var.function.environment_variables : can(regex("^[A-Za-z][A-Za-z0-9_]+$", name)) && value != null && !contains([
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
      ], name)
    ])
    error_message = "Each name in function.environment_variables must be a letter and then letters, digits and underscores, and none that Lambda reserves, such as AWS_REGION; no value may be null."
  }

  validation {
    condition = length(var.function.layers) <= 5 && alltrue([
      for arn in var.function.layers : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))
    ])
    error_message = "function.layers must be at most 5 ARNs of layer versions, arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION."
  }

  validation {
    condition     = var.function.code_signing_config_arn == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:csc-[a-z0-9]{17}$", var.function.code_signing_config_arn))
    error_message = "function.code_signing_config_arn must be the ARN of a code signing configuration, arn:aws:lambda:REGION:ACCOUNT:code-signing-config:csc-ID, or null."
  }

  validation {
    condition = var.function.vpc == null || try(
      length(var.function.vpc.subnet_ids) <= 16 && length(var.function.vpc.security_group_ids) <= 5
      && (length(var.function.vpc.subnet_ids) == 0) == (length(var.function.vpc.security_group_ids) == 0)
      && alltrue([for id in var.function.vpc.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
      && alltrue([for id in var.function.vpc.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))]),
      false,
    )
    error_message = "function.vpc must have 1 to 16 subnet_ids, such as \"subnet-0a1b\", and 1 to 5 security_group_ids, such as \"sg-0a1b\"; both are empty while the function leaves its VPC. Without a VPC, set it to null."
  }
}

variable "kms_key_arns" {
  type = object({
    source_bucket      = optional(string)
    destination_bucket = optional(string)
    environment        = optional(string)
    log_group          = optional(string)
    queues             = optional(string)
  })
  description = "ARNs of the customer-managed KMS keys that encrypt the function's environment variables, its log group and its queues; null uses AWS's own encryption. The buckets' keys belong in source_bucket and destination_bucket. The policy of the log group's key must allow CloudWatch Logs to use it. With EventBridge as a trigger, the policy of the queues' key must allow EventBridge to use it."
  default     = {}
  nullable    = false

  validation {
    # The type names both attributes because Terraform drops unknown ones silently: the role would lack a permission.
    condition     = var.kms_key_arns.source_bucket == null && var.kms_key_arns.destination_bucket == null
    error_message = "Set the buckets' keys in source_bucket.kms_key_arn and destination_bucket.kms_key_arn: kms_key_arns is for what this module creates."
  }

  validation {
    condition     = alltrue([for arn in values(var.kms_key_arns) : arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each of kms_key_arns must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by its ARN."
  }
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
    condition     = var.log_group.name == null || can(regex("^[A-Za-z0-9_/.#-]{1,512}$", var.log_group.name))
    error_message = "log_group.name must be the log group's name, not its ARN: 1 to 512 letters, digits and _ / . # -."
  }

  validation {
    condition     = contains(["STANDARD", "INFREQUENT_ACCESS"], coalesce(var.log_group.class, "STANDARD"))
    error_message = "log_group.class must be STANDARD or INFREQUENT_ACCESS."
  }

  validation {
    condition     = var.log_group.create || var.log_group.class == null
    error_message = "With log_group.create = false, leave out log_group.class: the log group's owner chooses it."
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
    # DEBUG adds no line of the function, and ERROR hides why an image was rejected.
    condition     = alltrue([for level in values(var.log_levels) : contains(["INFO", "WARN"], coalesce(level, "INFO"))])
    error_message = "log_levels.application and log_levels.system must be INFO or WARN."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Number of days to keep the function's log; 0 keeps it forever."
  default     = 30
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch Logs accepts: 0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
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

  validation {
    condition     = var.max_pixels == null || try(var.max_pixels >= 1 && floor(var.max_pixels) == var.max_pixels, false)
    error_message = "max_pixels must be a whole number from 1, or null for the memory's own limit."
  }
}

variable "metadata" {
  type        = string
  description = "Which EXIF, XMP and IPTC metadata outputs keep: \"none\", \"copyright\" (credits, rights, licensor, and whether AI made the image) or \"all\" (corrected where it would no longer be true). Outputs always keep colour profiles."
  default     = "copyright"
  nullable    = false

  validation {
    condition     = contains(["none", "copyright", "all"], var.metadata)
    error_message = "metadata must be none, copyright or all."
  }
}

variable "mirror_deletes" {
  type        = bool
  description = "Whether to remove the outputs of a source object when that object is removed."
  default     = false
  nullable    = false
}

variable "name" {
  type        = string
  description = "Name of the function and its EventBridge rule. The names of its roles (-role, -jobs), policies (-policy, -jobs) and queues (-failures, -undelivered) begin with it. Role and policy names are unique in an account: a second pipeline needs another name. A new name replaces all of these, and deletes what the queues and the log hold."
  default     = "Lambda-image"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,59}$", var.name))
    error_message = "name must be 1 to 59 letters, digits, hyphens and underscores: with \"-role\" it must fit into IAM's limit of 64."
  }
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
  description = "The built function. Set either path, the zip that \"invoke build\" made with its manifest beside it, or s3 with the zip's sha256 (base64), runtime and architecture, as \"invoke publish --bucket NAME\" prints them."
  nullable    = false

  validation {
    condition     = (var.package.path == null) != (var.package.s3 == null)
    error_message = "package must set either path, the zip that \"invoke build\" made, or s3 with sha256, runtime and architecture: paste what \"invoke publish --bucket NAME\" prints."
  }

  validation {
    condition     = var.package.path == null || try(endswith(var.package.path, ".zip"), false)
    error_message = "package.path must end in .zip: give the path that \"invoke build\" printed."
  }

  validation {
    condition     = length(compact([var.package.sha256, var.package.runtime, var.package.architecture])) == (var.package.s3 == null ? 0 : 3)
    error_message = "package.s3 needs package.sha256, package.runtime and package.architecture: paste what \"invoke publish --bucket NAME\" prints. With package.path leave them out: the manifest has them."
  }

  validation {
    condition = var.package.s3 == null || try(
      can(regex("^[A-Za-z0-9._-]{3,63}$", var.package.s3.bucket)) && can(regex("^[^/]", var.package.s3.key)),
      false,
    )
    error_message = "package.s3.bucket must be the bucket's name alone, without s3://, and package.s3.key the object's key, without a slash at its beginning."
  }

  validation {
    condition     = var.package.sha256 == null || can(regex("^[A-Za-z0-9+/]{43}=$", var.package.sha256))
    error_message = "package.sha256 must be the zip's SHA-256 in base64, 44 characters, as \"invoke publish --bucket NAME\" prints it."
  }

  validation {
    condition     = var.package.runtime == null || contains(["python3.12", "python3.13", "python3.14"], coalesce(var.package.runtime, "none"))
    error_message = "package.runtime must be python3.12, python3.13 or python3.14, the runtimes that \"invoke publish\" builds for."
  }

  validation {
    # Any other key says nothing about the zip.
    condition = try(
      join("-", regex("image-resize-(python3[.][0-9]+)-(arm64|x86_64)-[0-9a-f]{64}[.]zip$", var.package.s3.key))
      == "${var.package.runtime}-${var.package.architecture}",
      true,
    )
    error_message = "package.runtime and package.architecture must match package.s3.key: paste all that \"invoke publish --bucket NAME\" prints for one architecture."
  }

  validation {
    condition     = var.package.architecture == null || contains(["arm64", "x86_64"], coalesce(var.package.architecture, "none"))
    error_message = "package.architecture must be arm64 or x86_64."
  }
}

variable "placeholders" {
  type        = bool
  description = "Whether manifests and completion events have a placeholder of each upload: a ThumbHash, which a page draws as a blur before an output has loaded, and the dominant colour. Needs manifest or events."
  default     = false
  nullable    = false

  validation {
    condition     = !var.placeholders || var.manifest || var.events != null
    error_message = "placeholders needs manifest or events, which contain them: set either, or remove placeholders."
  }
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

  validation {
    condition     = length(var.renditions) > 0
    error_message = "renditions must have at least one entry, such as { resized = { scale = 0.5 } }."
  }

  validation {
    condition     = alltrue([for name in keys(var.renditions) : can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name))])
    error_message = "Each name in renditions must be lower-case letters, digits and single hyphens: the file names of outputs begin with it."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one != null])
    error_message = "Each rendition must be an object such as { scale = 0.5 }, not null."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : (one.scale == null) != (one.width == null && one.widths == null && one.height == null) if one != null])
    error_message = "Each rendition must set either scale, or width, height or both; widths count as width."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : (one.width == null || one.widths == null) && (one.format == null || one.formats == null) if one != null])
    error_message = "Each rendition may set width or widths, not both, and format or formats, not both."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.scale == null || try(one.scale >= 0.0001 && one.scale <= 1, false) if one != null])
    error_message = "Each scale in renditions must be from 0.0001 to 1: images are never enlarged."
  }

  validation {
    condition = alltrue([
      for side in flatten([for one in values(var.renditions) : [one.width, one.height] if one != null]) :
      side == null || try(side >= 1 && side <= 65535 && floor(side) == side, false)
    ])
    error_message = "Each width and height in renditions must be a whole number of pixels from 1 to 65535, the most that any format holds."
  }

  validation {
    condition = alltrue([
      for one in values(var.renditions) :
      one.widths == null || try(length(one.widths) > 0 && alltrue([for width in one.widths : width >= 1 && width <= 65535 && floor(width) == width]) && length(distinct(one.widths)) == length(one.widths), false)
      if one != null
    ])
    error_message = "Each widths in renditions must be different whole numbers of pixels from 1 to 65535, such as [320, 640, 1280, 1920]."
  }

  validation {
    condition = alltrue([
      for one in values(var.renditions) :
      one.fit == "inside" || (try(contains(["cover", "contain"], one.fit), false) && (one.width != null || one.widths != null) && one.height != null)
      if one != null
    ])
    error_message = "Each fit in renditions must be \"inside\", or \"cover\" or \"contain\" with both width and height."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.focus == null || try(contains(["center", "entropy", "metadata"], one.focus), false) if one != null])
    error_message = "Each focus in renditions must be \"center\", \"entropy\" or \"metadata\"."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : coalesce(one.focus, "center") == "center" || one.fit == "cover" if one != null])
    error_message = "Each rendition with a focus other than \"center\" must set fit to \"cover\": nothing else is cropped."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.format == null || try(contains(["jpeg", "png", "webp", "avif"], one.format), false) if one != null])
    error_message = "Each format in renditions must be jpeg, png, webp or avif, or null for the source's format."
  }

  validation {
    condition = alltrue([
      for one in values(var.renditions) :
      one.formats == null || try(length(one.formats) > 0 && alltrue([for format in one.formats : contains(["jpeg", "png", "webp", "avif"], format)]) && length(distinct(one.formats)) == length(one.formats), false)
      if one != null
    ])
    error_message = "Each formats in renditions must be different ones of jpeg, png, webp and avif, such as [\"avif\", \"webp\", \"jpeg\"]."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.quality == null || try(one.quality >= 1 && one.quality <= 100 && floor(one.quality) == one.quality, false) if one != null])
    error_message = "Each quality in renditions must be a whole number from 1 to 100, or null for the format's default."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.ssimulacra2 == null || try(one.ssimulacra2 >= 30 && one.ssimulacra2 <= 90, false) if one != null])
    error_message = "Each ssimulacra2 in renditions must be a number from 30 to 90, or null."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.quality == null || one.ssimulacra2 == null if one != null])
    error_message = "Each rendition may set quality or ssimulacra2, not both."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.hdr == null || try(contains(["keep", "drop"], one.hdr), false) if one != null])
    error_message = "Each hdr in renditions must be \"keep\" or \"drop\", or null for \"keep\"."
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
    condition     = alltrue([for one in values(var.renditions) : one.storage_class == null || try(contains(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], one.storage_class), false) if one != null])
    error_message = "Each storage_class in renditions must be STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR, or null."
  }

  validation {
    condition     = alltrue([for name, one in var.renditions : can(regex(local.key_pattern, replace(one.key, "{rendition}", name))) if one != null])
    error_message = "Each key in renditions must contain {dir} once and then {name} once, and may contain {rendition}, {stem} and {ext}. Text before {dir} must end with a slash; text after {name} must not contain one."
  }

  validation {
    condition     = alltrue([for one in values(var.renditions) : one.widths == null && one.formats == null || strcontains(one.key, "{rendition}") if one != null])
    error_message = "Each key of a rendition with widths or formats must contain {rendition}, such as \"{dir}{rendition}-{name}\": the outputs would otherwise have one key."
  }
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

  validation {
    condition     = var.role.create == (var.role.arn == null)
    error_message = "role.arn must be set if role.create is false, and only then: the module creates its own role, or uses yours."
  }

  validation {
    condition     = var.role.arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[!-~]+$", var.role.arn))
    error_message = "role.arn must be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME."
  }

  validation {
    condition     = can(regex("^/([!-.0-~]+/)*$", var.role.path))
    error_message = "role.path must begin and end with a slash, such as \"/images/\"."
  }

  validation {
    condition     = var.role.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::(aws|[0-9]{12}):policy/[!-)+-~]+$", var.role.permissions_boundary_arn))
    error_message = "role.permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::ACCOUNT:policy/NAME."
  }
}

variable "source_bucket" {
  type = object({
    name        = string
    prefix      = optional(string, "")
    kms_key_arn = optional(string)
    account_id  = optional(string)
  })
  description = "The bucket that the function reads from. prefix: a folder; the function reads and resizes nothing outside it. kms_key_arn: ARN of the customer-managed KMS key that encrypts the bucket. account_id: the account that owns the bucket, if it is not the function's: the owner then applies source_bucket_policy_json and the notification."
  nullable    = false

  validation {
    # Looser than the rules for new buckets, because old buckets may have other names.
    condition     = can(regex("^[A-Za-z0-9._-]{3,255}$", var.source_bucket.name))
    error_message = "source_bucket.name must be the bucket's name alone, such as \"my-images\": no ARN, no s3:// and no key."
  }

  validation {
    condition     = !can(regex("(-s3alias|--ol-s3|[.]mrap|--x-s3|--table-s3)$", var.source_bucket.name))
    error_message = "source_bucket.name must be a general purpose bucket: a directory bucket, a table bucket and an access point's alias have other ARNs and no notifications. Name the bucket itself."
  }

  validation {
    # A policy may have only Latin-1 characters, and * and ? are wildcards there.
    condition     = can(regex("^([^/*?{}[:cntrl:]][^*?{}[:cntrl:]]*/)?$", var.source_bucket.prefix)) && can(regex("^[ -~\u00a0-\u00ff]*$", var.source_bucket.prefix))
    error_message = "source_bucket.prefix must be a folder, such as \"uploads/\": it ends with a slash, does not begin with one, and has only Latin-1 characters other than * ? { }."
  }

  validation {
    condition     = var.source_bucket.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.source_bucket.kms_key_arn))
    error_message = "source_bucket.kms_key_arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not of an alias: IAM policies identify a key by its ARN."
  }

  validation {
    condition     = var.source_bucket.account_id == null || can(regex("^[0-9]{12}$", var.source_bucket.account_id))
    error_message = "source_bucket.account_id must be the 12 digits of the account that owns the bucket, as a string; leave it out for the function's own account."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags for every resource that can have tags."
  default     = {}
  nullable    = false

  validation {
    condition = length(var.tags) <= 50 && alltrue([
      for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && try(length(value) <= 256, false)
    ])
    error_message = "tags must be at most 50, each with a key of 1 to 128 characters and a value of at most 256: AWS's limits."
  }

  validation {
    # IAM allows the fewest characters: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    condition     = alltrue([for text in concat(keys(var.tags), values(var.tags)) : can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]*$", text))])
    error_message = "Keys and values of tags must be letters, digits, spaces and _ . : / = + - @, which is all that IAM allows."
  }

  validation {
    condition     = !anytrue([for key in keys(var.tags) : startswith(lower(key), "aws:")])
    error_message = "No key in tags may begin with \"aws:\", which AWS reserves: rename it."
  }
}

variable "trigger" {
  type        = string
  description = "The source of upload events. \"s3\": the bucket's notification configuration; a bucket has only one. \"eventbridge\": a rule that this module creates, for a bucket that sends its events to EventBridge. \"both\": the step between when you change from one to the other, so that no upload is missed."
  default     = "s3"
  nullable    = false

  validation {
    condition     = contains(["s3", "eventbridge", "both"], var.trigger)
    error_message = "trigger must be s3, eventbridge or both."
  }
}
