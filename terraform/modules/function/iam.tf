# The function's role: it allows what the function does, and nothing else. With role.create = false, the role's owner attaches
# the policy.

locals {
  # From an ARN and not from data sources: with depends_on on this module, Terraform reads its data sources only during the
  # apply, and every plan with a change in the other module would replace what uses them.
  queue_arn  = split(":", aws_sqs_queue.failures.arn)
  partition  = local.queue_arn[1]
  region     = local.queue_arn[3]
  account_id = local.queue_arn[4]

  role_arn = var.role.create ? aws_iam_role.this[0].arn : var.role.arn

  # Built from the names, because this configuration need not manage the buckets.
  source_arn      = "arn:${local.partition}:s3:::${var.source_bucket.name}"
  destination_arn = "arn:${local.partition}:s3:::${var.destination_bucket.name}"

  statements = [
    {
      Sid      = "ReadSourceImages"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.source_arn}/${var.source_bucket.prefix}*"
    },
    {
      # Without s3:ListBucket, S3 answers 403 for a missing key, so "deleted" looks like "denied". A condition on
      # s3:prefix would never hold: a request for an object has no prefix.
      Sid      = "TellMissingFromDenied"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = local.source_arn
    },
    {
      Sid      = "WriteResizedImages"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${local.destination_arn}/${var.destination_bucket.prefix}*"
    },
    {
      Sid      = "ReportFailures"
      Effect   = "Allow"
      Action   = "sqs:SendMessage"
      Resource = aws_sqs_queue.failures.arn
    },
    {
      # Without CreateLogGroup: a late invocation would create the group again after terraform destroy.
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${local.log_group}:*"
    },
  ]

  # Each key only for the actions that its service performs for the function.
  kms_statements = [
    for one in [
      { sid = "DecryptSourceImages", key = var.source_bucket.kms_key_arn, service = "s3", actions = "kms:Decrypt" },
      { sid = "EncryptResizedImages", key = var.destination_bucket.kms_key_arn, service = "s3", actions = "kms:GenerateDataKey" },
      # SQS decrypts a data key to reuse it for later messages.
      { sid = "EncryptFailures", key = var.kms_key_arns.queues, service = "sqs", actions = ["kms:GenerateDataKey", "kms:Decrypt"] },
    ] :
    {
      Sid      = one.sid
      Effect   = "Allow"
      Action   = one.actions
      Resource = one.key
      Condition = {
        # Each partition has its own DNS suffix.
        StringLike = { "kms:ViaService" = "${one.service}.${split(":", one.key)[3]}.*" }
      }
    }
    if one.key != null
  ]

  optional_statements = [
    {
      enabled = var.mirror_deletes
      statements = [
        {
          # Without DeleteObjectVersion: in a bucket with versions, a deleted output gets a delete marker and can be restored.
          Sid      = "RemoveImagesOfDeletedSources"
          Effect   = "Allow"
          Action   = "s3:DeleteObject"
          Resource = "${local.destination_arn}/${var.destination_bucket.prefix}*"
        },
        {
          # S3 does not say whether a deleted version was the current one. The outputs' metadata names the version that they
          # were made from.
          Sid      = "TellWhatImagesAreMadeOf"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "${local.destination_arn}/${var.destination_bucket.prefix}*"
        },
      ]
    },
    {
      enabled = try(var.content_credentials.kms_key_arn, null) != null
      statements = [
        {
          Sid      = "SignContentCredentials"
          Effect   = "Allow"
          Action   = "kms:Sign"
          Resource = try(var.content_credentials.kms_key_arn, null)
        },
      ]
    },
    {
      enabled = try(var.content_credentials.secret_arn, null) != null
      statements = [
        {
          Sid      = "ReadSigningKey"
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = try(var.content_credentials.secret_arn, null)
        },
      ]
    },
    {
      enabled = try(var.events.eventbridge_bus_arn, null) != null
      statements = [
        {
          Sid      = "SendCompletionEvents"
          Effect   = "Allow"
          Action   = "events:PutEvents"
          Resource = try(var.events.eventbridge_bus_arn, null)
        },
      ]
    },
    {
      enabled = try(var.events.sns_topic_arn, null) != null
      statements = [
        {
          # Without permissions for the key of an encrypted topic: its owner's key policy grants them.
          Sid      = "PublishCompletionEvents"
          Effect   = "Allow"
          Action   = "sns:Publish"
          Resource = try(var.events.sns_topic_arn, null)
        },
      ]
    },
    {
      enabled = var.function.tracing
      statements = [
        {
          # X-Ray has no resources: traces belong to the account.
          Sid      = "Trace"
          Effect   = "Allow"
          Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
          Resource = "*"
        },
      ]
    },
    {
      # Lambda creates and deletes the function's network interfaces with the function's own role.
      # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
      enabled = var.function.vpc != null
      statements = [
        {
          # All resources of the account: Lambda first tests its permissions on resources of its own choice. Subnets of any
          # account, because a shared subnet belongs to another one.
          Sid      = "MakeNetworkInterfaces"
          Effect   = "Allow"
          Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
          Resource = ["arn:${local.partition}:ec2:*:${local.account_id}:*/*", "arn:${local.partition}:ec2:*:*:subnet/*"]
        },
        {
          # These actions don't support resources.
          Sid      = "SeeNetworkInterfaces"
          Effect   = "Allow"
          Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
          Resource = "*"
        },
        {
          # Lambda needs the permissions above; the code in the function does not.
          Sid       = "NotFromWithinTheFunction"
          Effect    = "Deny"
          Action    = "ec2:*"
          Resource  = "*"
          Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:*:${local.account_id}:function:${var.name}" } }
        },
      ]
    },
  ]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.statements,
      local.kms_statements,
      flatten([for group in local.optional_statements : group.statements if group.enabled]),
    )
  })
}

resource "aws_iam_role" "this" {
  count = var.role.create ? 1 : 0

  name                  = "${var.name}-role"
  path                  = var.role.path
  permissions_boundary  = var.role.permissions_boundary_arn
  force_detach_policies = var.role.force_detach_policies
  description           = "Lets ${var.name} resize images from ${var.source_bucket.name} to ${var.destination_bucket.name}."
  tags                  = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaAssumesThis"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_policy" "this" {
  count = var.role.create ? 1 : 0

  name        = "${var.name}-policy"
  path        = var.role.path
  description = "Read ${var.source_bucket.name}, write ${var.destination_bucket.name}, report failures, log."
  policy      = local.policy
  tags        = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  count = var.role.create ? 1 : 0

  # The ID equals the name, but is unknown in a plan that replaces the role: the attachment is then replaced, too.
  role       = aws_iam_role.this[0].id
  policy_arn = aws_iam_policy.this[0].arn
}
