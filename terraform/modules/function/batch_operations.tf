# The role for S3 Batch Operations, whose jobs call the function for existing objects.

locals {
  # The only folder of objects that a job may read or write. `invoke backfill` finds it by the function's name.
  jobs_prefix = "batch-operations/${var.name}/"

  # With one bucket for both, a report must not count as an upload.
  jobs_among_uploads = [
    for filter in local.filters : filter.prefix
    if var.source_bucket.name == var.destination_bucket.name
    && (startswith(local.jobs_prefix, filter.prefix) || startswith(filter.prefix, local.jobs_prefix))
  ]

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html
  jobs_statements = [
    {
      Sid    = "CallTheFunction"
      Effect = "Allow"
      Action = "lambda:InvokeFunction"
      # Also the function itself, which jobs that were created before the alias call.
      Resource = concat([aws_lambda_function.this.arn], aws_lambda_alias.this[*].arn)
    },
    {
      # S3 needs this permission to generate a manifest: it lists the bucket as for an inventory.
      Sid      = "ListUploads"
      Effect   = "Allow"
      Action   = "s3:PutInventoryConfiguration"
      Resource = local.source_arn
    },
    {
      Sid      = "ReadManifests"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:GetObjectVersion"]
      Resource = "${local.destination_arn}/${local.jobs_prefix}*"
    },
    {
      Sid      = "WriteManifestsAndReports"
      Effect   = "Allow"
      Action   = "s3:PutObject"
      Resource = "${local.destination_arn}/${local.jobs_prefix}*"
    },
  ]

  jobs_kms_statements = [
    for key in var.destination_bucket.kms_key_arn[*] :
    {
      Sid      = "EncryptAndDecryptManifests"
      Effect   = "Allow"
      Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource = key
      Condition = {
        StringLike = { "kms:ViaService" = "s3.${split(":", key)[3]}.*" }
      }
    }
  ]
}

resource "aws_iam_role" "jobs" {
  count = var.batch_operations ? 1 : 0

  name                  = "${var.name}-jobs"
  path                  = var.role.path
  permissions_boundary  = var.role.permissions_boundary_arn
  force_detach_policies = var.role.force_detach_policies
  description           = "Lets S3 Batch Operations call ${var.name} for objects of ${var.source_bucket.name}."
  tags                  = var.tags

  # AWS documents no condition on the source that S3 Batch Operations would meet. To create a job, a caller needs
  # iam:PassRole for this role, which only this account can grant.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BatchOperationsAssumesThis"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "batchoperations.s3.amazonaws.com" }
    }]
  })

  lifecycle {
    precondition {
      condition     = length(local.jobs_among_uploads) == 0
      error_message = "With one bucket, the manifests and reports of jobs under \"${local.jobs_prefix}\" would be uploads (${join("; ", [for prefix in local.jobs_among_uploads : "resized under \"${prefix}\""])}): set source_bucket.prefix or each filter to another folder, such as \"uploads/\"."
    }
  }
}

resource "aws_iam_policy" "jobs" {
  count = var.batch_operations ? 1 : 0

  name        = "${var.name}-jobs"
  path        = var.role.path
  description = "Call ${var.name}, list ${var.source_bucket.name}, keep manifests and reports in ${var.destination_bucket.name}."
  tags        = var.tags

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.jobs_statements, local.jobs_kms_statements)
  })
}

resource "aws_iam_role_policy_attachment" "jobs" {
  count = var.batch_operations ? 1 : 0

  role       = aws_iam_role.jobs[0].id
  policy_arn = aws_iam_policy.jobs[0].arn
}
