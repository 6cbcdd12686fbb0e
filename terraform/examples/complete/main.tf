# Every option of the module that needs nothing from outside the example, almost all with a value other than the default.

module "image_resize" {
  source = "../.."

  name               = "resize-complete"
  package            = { path = "../../../dist/function.zip" }
  source_bucket      = "${var.bucket_prefix}-in"
  destination_bucket = "${var.bucket_prefix}-out"
  force_destroy      = true

  source_bucket_options = {
    eventbridge       = true # As with this trigger anyway.
    policy_statements = [{ sid = "TheAccountMayList", principals = { AWS = ["arn:${local.partition}:iam::${local.account_id}:root"] }, actions = ["s3:ListBucket"], resources = [""] }]
    lifecycle_rules   = [{ id = "archive", prefix = "photos/", transitions = [{ days = 30, storage_class = "STANDARD_IA" }] }]
    cors_rules        = [{ allowed_origins = ["https://www.example.com"], allowed_methods = ["PUT"], allowed_headers = ["*"], expose_headers = ["ETag"], max_age_seconds = 3000 }]
    logging           = { target_bucket = module.access_logs.name, target_prefix = "in/" }
  }

  destination_bucket_options = {
    eventbridge       = true
    policy_statements = [{ sid = "TheAccountMayRead", principals = { AWS = ["arn:${local.partition}:iam::${local.account_id}:root"] }, actions = ["s3:GetObject"], resources = ["/half/*", "/tile/*"] }]
    lifecycle_rules   = [{ id = "expire", expiration_days = 365 }]
    cors_rules        = [{ allowed_origins = ["https://www.example.com"], allowed_methods = ["GET", "HEAD"] }]
    logging           = { target_bucket = module.access_logs.name, target_prefix = "out/" }
  }

  trigger = "eventbridge"
  filters = [{ prefix = "photos/", suffix = ".jpg" }, { prefix = "logos/", suffix = ".png" }]

  renditions = {
    half = { scale = 0.5, key = "{rendition}/{dir}{name}", ssimulacra2 = 70, cache_control = "max-age=86400", storage_class = "STANDARD_IA" }
    tile = { width = 64, height = 64, fit = "cover", format = "jpeg", quality = 70, hdr = "drop", background = "#202020", key = "{rendition}/{dir}{name}" }
  }
  manifest         = true
  placeholders     = true
  events           = { sns_topic_arn = aws_sns_topic.uploads.arn }
  mirror_deletes   = true
  metadata         = "all"
  max_pixels       = 50000000
  batch_operations = true

  function = {
    # Without reserved_concurrent_executions: 100 of the account's quota must stay unreserved, and a new account has only 10.
    # Without layers and code_signing_config_arn, which must exist in the account.
    memory_size            = 3008
    timeout                = 180
    ephemeral_storage_size = 1024
    tracing                = true
    environment_variables  = { OTEL_SERVICE_NAME = "resize" }
    vpc                    = { subnet_ids = [aws_subnet.this.id], security_group_ids = [aws_security_group.function.id] }
  }

  alias              = { name = "live" }
  asynchronous       = { maximum_retry_attempts = 1, maximum_event_age_in_seconds = 3600 }
  log_retention_days = 90
  log_group          = { name = "/images/resize-complete", class = "STANDARD" } # INFREQUENT_ACCESS would exclude monitoring,
  log_levels         = { application = "INFO", system = "INFO" }                # and so would WARN.

  kms_key_arns = {
    source_bucket      = aws_kms_key.this.arn
    destination_bucket = aws_kms_key.this.arn
    environment        = aws_kms_key.this.arn
    log_group          = aws_kms_key.this.arn
    queues             = aws_kms_key.this.arn
  }

  monitoring = {
    enabled          = true # As metrics, the default: false would ignore other options.
    metrics          = true
    alarms           = true
    alarm_topic_arns = [aws_sns_topic.alarms.arn]
    dashboard        = true
    runbook          = "https://wiki.example.com/images/runbook"

    thresholds = {
      errors            = 5
      throttled_minutes = 60
      timeout_percent   = 90
      failure_age_hours = 4
      rejected_percent  = 5
      rejected_uploads  = 50
    }
  }

  role = { path = "/images/", permissions_boundary_arn = aws_iam_policy.boundary.arn, force_detach_policies = true }
  tags = { team = "images", service = "resize" }
}

# S3 writes the access logs of both buckets here. Its own logs would be an endless loop.
module "access_logs" {
  source = "../../modules/bucket"

  name          = "${var.bucket_prefix}-logs"
  force_destroy = true

  policy_statements = [{
    sid        = "AccessLogs"
    principals = { Service = ["logging.s3.amazonaws.com"] }
    actions    = ["s3:PutObject"]
    conditions = { ArnEquals = { "aws:SourceArn" = [module.image_resize.source_bucket_arn, module.image_resize.destination_bucket_arn] } }
  }]
  lifecycle_rules = [{ id = "expire", expiration_days = 90 }]
}

# Alarms go to this topic: subscribe to it.
resource "aws_sns_topic" "alarms" {
  name              = "resize-complete-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

# Completion events go to this topic: subscribe their consumers.
resource "aws_sns_topic" "uploads" {
  name              = "resize-complete-uploads"
  kms_master_key_id = aws_kms_key.this.arn
}

# The permissions boundary: no role of this team may do more, whatever its own policies allow.
resource "aws_iam_policy" "boundary" {
  name = "resize-complete-boundary"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ImagesAndWhatIsSaidOfThem"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject", "s3:DeleteObject", "s3:PutInventoryConfiguration", "lambda:InvokeFunction", "sqs:SendMessage", "sns:Publish", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = [
          "arn:${local.partition}:s3:::${var.bucket_prefix}-*",
          "arn:${local.partition}:lambda:*:${local.account_id}:function:resize-*",
          "arn:${local.partition}:sqs:*:${local.account_id}:resize-*",
          "arn:${local.partition}:sns:*:${local.account_id}:resize-*",
          "arn:${local.partition}:logs:*:${local.account_id}:log-group:/images/resize-*",
        ]
      },
      {
        Sid      = "TheTeamsKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = aws_kms_key.this.arn
      },
      {
        Sid      = "NetworkInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
        Resource = ["arn:${local.partition}:ec2:*:${local.account_id}:*/*", "arn:${local.partition}:ec2:*:*:subnet/*"]
      },
      {
        # These actions don't support resources.
        Sid      = "DescriptionsAndTraces"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ]
  })
}
