# What the function may do: exactly what it does.

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # By construction: who owns a bucket may give its name and nothing else.
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
      # Without it S3 answers 403 for an object that is gone, and "deleted" could not be told from "denied". Nor with
      # a condition on the prefix: reading an object has none.
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
      # Not CreateLogGroup: a late invocation would make the group again after it was destroyed.
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*"
    },
  ]

  mirror_statements = [
    for statement in [
      {
        # Not DeleteObjectVersion: where there are versions, an output gets a delete marker, and can be had back.
        Sid      = "RemoveImagesOfDeletedSources"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = "${local.destination_arn}/${var.destination_bucket.prefix}*"
      },
      {
        # S3 does not say whether a deleted version was the current one. The outputs' metadata says which version they are
        # made of.
        Sid      = "TellWhatImagesAreMadeOf"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.destination_arn}/${var.destination_bucket.prefix}*"
      },
    ] : statement
    if var.mirror_deletes
  ]

  # Each key for nothing but what its service does with it on the function's behalf.
  kms_statements = [
    for one in [
      { sid = "DecryptSourceImages", key = var.source_bucket.kms_key_arn, service = "s3", actions = "kms:Decrypt" },
      { sid = "EncryptResizedImages", key = var.destination_bucket.kms_key_arn, service = "s3", actions = "kms:GenerateDataKey" },
      # SQS decrypts the data key that it uses again for the next message.
      { sid = "EncryptFailures", key = var.kms_key_arns.queues, service = "sqs", actions = ["kms:GenerateDataKey", "kms:Decrypt"] },
    ] :
    {
      Sid      = one.sid
      Effect   = "Allow"
      Action   = one.actions
      Resource = one.key
      Condition = {
        StringEquals = { "kms:ViaService" = "${one.service}.${split(":", one.key)[3]}.${data.aws_partition.current.dns_suffix}" }
      }
    }
    if one.key != null
  ]

  tracing_statements = [
    for statement in [
      {
        # X-Ray has no resource to name: traces belong to the account.
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
    ] : statement
    if var.function.tracing
  ]

  # Lambda makes and removes the function's network interfaces with the function's own role.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
  vpc_statements = [
    for statement in [
      {
        # All of the account's, for before Lambda makes one, it tries out whether it could, on resources of its own choice;
        # and subnets of any, for one that is shared belongs to another.
        Sid      = "MakeNetworkInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
        Resource = ["arn:${local.partition}:ec2:*:${local.account_id}:*/*", "arn:${local.partition}:ec2:*:*:subnet/*"]
      },
      {
        # EC2 describes all or nothing: these actions know no resource.
        Sid      = "SeeNetworkInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        Resource = "*"
      },
      {
        # Lambda needs them, the code that runs in the function does not.
        Sid       = "NotFromWithinTheFunction"
        Effect    = "Deny"
        Action    = "ec2:*"
        Resource  = "*"
        Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:*:${local.account_id}:function:${var.name}" } }
      },
    ] : statement
    if var.function.vpc != null
  ]
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-role"
  path                 = var.role.path
  permissions_boundary = var.role.permissions_boundary_arn
  description          = "Lets ${var.name} resize images from ${var.source_bucket.name} to ${var.destination_bucket.name}."
  tags                 = var.tags

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
  name        = "${var.name}-policy"
  path        = var.role.path
  description = "Read ${var.source_bucket.name}, write ${var.destination_bucket.name}, report failures, log."
  tags        = var.tags

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.statements, local.mirror_statements, local.kms_statements, local.tracing_statements, local.vpc_statements)
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = aws_iam_policy.this.arn
}
