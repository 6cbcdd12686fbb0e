# The role for jobs of S3 Batch Operations, which is optional.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
}

run "not_asked_for" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = (
      length(aws_iam_role.jobs) + length(aws_iam_policy.jobs) + length(aws_iam_role_policy_attachment.jobs) == 0
      && output.batch_operations_role_arn == null
    )
    error_message = "By default there must be no such role."
  }
}

run "asked_for" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    batch_operations = true
    tags             = { team = "images" }
  }

  assert {
    condition = jsondecode(aws_iam_role.jobs[0].assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "BatchOperationsAssumesThis"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "batchoperations.s3.amazonaws.com" }
      }]
    }
    error_message = "Only S3 Batch Operations may assume the role."
  }

  assert {
    condition = jsondecode(aws_iam_policy.jobs[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "CallTheFunction"
          Effect   = "Allow"
          Action   = "lambda:InvokeFunction"
          Resource = ["arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"]
        },
        {
          Sid      = "ListUploads"
          Effect   = "Allow"
          Action   = "s3:PutInventoryConfiguration"
          Resource = "arn:aws:s3:::src-bucket-image-in"
        },
        {
          Sid      = "ReadManifests"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion"]
          Resource = "arn:aws:s3:::dest-bucket-image-out/batch-operations/Lambda-image/*"
        },
        {
          Sid      = "WriteManifestsAndReports"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "arn:aws:s3:::dest-bucket-image-out/batch-operations/Lambda-image/*"
        },
      ]
    }
    error_message = "A job may call the function, list the uploads, and read and write its own files."
  }

  assert {
    condition = (
      aws_iam_role.jobs[0].name == "Lambda-image-jobs"
      && aws_iam_role.jobs[0].path == "/"
      && aws_iam_role.jobs[0].permissions_boundary == null
      && aws_iam_policy.jobs[0].name == "Lambda-image-jobs"
      && aws_iam_role_policy_attachment.jobs[0].role == aws_iam_role.jobs[0].id
      && aws_iam_role_policy_attachment.this[0].policy_arn == "arn:aws:iam::123456789012:policy/Lambda-image-policy"
      && aws_iam_role_policy_attachment.jobs[0].policy_arn == "arn:aws:iam::123456789012:policy/Lambda-image-jobs"
      && aws_iam_role.jobs[0].tags == tomap({ team = "images" })
      && aws_iam_policy.jobs[0].tags == tomap({ team = "images" })
      && output.batch_operations_role_arn == "arn:aws:iam::123456789012:role/Lambda-image-jobs"
    )
    error_message = "Names must follow the pipeline's name, and the output must return the role's ARN."
  }
}

run "with_prefixes_and_a_key" {
  command = plan

  module {
    source = "./modules/function"
  }

  override_resource {
    target          = aws_sqs_queue.failures
    override_during = plan
    values          = { arn = "arn:aws-cn:sqs:cn-north-1:123456789012:Lambda-image-failures" }
  }

  variables {
    batch_operations   = true
    source_bucket      = { name = "one", prefix = "uploads/", kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/source" }
    destination_bucket = { name = "one", prefix = "resized/", kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/destination" }
  }

  assert {
    condition = jsonencode([for one in jsondecode(aws_iam_policy.jobs[0].policy).Statement : one.Resource]) == jsonencode([
      ["arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"],
      "arn:aws-cn:s3:::one",
      "arn:aws-cn:s3:::one/batch-operations/Lambda-image/*",
      "arn:aws-cn:s3:::one/batch-operations/Lambda-image/*",
      "arn:aws-cn:kms:cn-north-1:123456789012:key/destination",
    ])
    error_message = "A job's files must be in their own folder, outside the uploads."
  }

  assert {
    condition = jsondecode(aws_iam_policy.jobs[0].policy).Statement[4] == {
      Sid       = "EncryptAndDecryptManifests"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource  = "arn:aws-cn:kms:cn-north-1:123456789012:key/destination"
      Condition = { StringLike = { "kms:ViaService" = "s3.cn-north-1.*" } }
    }
    error_message = "S3 must be able to write and read its manifests with the destination bucket's key."
  }
}
