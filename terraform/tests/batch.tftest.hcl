# The role for jobs of S3 Batch Operations, which is there only where it is asked for.

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
    error_message = "By default there must be no role that anybody could call the function with."
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
    error_message = "Nobody but S3 Batch Operations may take the role."
  }

  assert {
    condition = jsondecode(aws_iam_policy.jobs[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "CallTheFunction"
          Effect   = "Allow"
          Action   = "lambda:InvokeFunction"
          Resource = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
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
    error_message = "A job may call the function, list the uploads, and keep its files apart from the images."
  }

  assert {
    condition = (
      aws_iam_role.jobs[0].name == "Lambda-image-jobs"
      && aws_iam_role.jobs[0].path == "/"
      && aws_iam_role.jobs[0].permissions_boundary == null
      && aws_iam_policy.jobs[0].name == "Lambda-image-jobs"
      && aws_iam_role_policy_attachment.jobs[0].role == "Lambda-image-jobs"
      && aws_iam_role.jobs[0].tags == tomap({ team = "images" })
      && aws_iam_policy.jobs[0].tags == tomap({ team = "images" })
      && output.batch_operations_role_arn == aws_iam_role.jobs[0].arn
    )
    error_message = "The role must be found by the pipeline's name, and by the output."
  }
}

run "with_prefixes_and_a_key" {
  command = plan

  module {
    source = "./modules/function"
  }

  override_data {
    target          = data.aws_partition.current
    override_during = plan
    values          = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  variables {
    batch_operations   = true
    source_bucket      = { name = "one", prefix = "uploads/", kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/source" }
    destination_bucket = { name = "one", prefix = "resized/", kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/destination" }
  }

  assert {
    condition = jsonencode([for one in jsondecode(aws_iam_policy.jobs[0].policy).Statement : one.Resource]) == jsonencode([
      "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image",
      "arn:aws-cn:s3:::one",
      "arn:aws-cn:s3:::one/batch-operations/Lambda-image/*",
      "arn:aws-cn:s3:::one/batch-operations/Lambda-image/*",
      "arn:aws-cn:kms:cn-north-1:123456789012:key/destination",
    ])
    error_message = "A job's files must be in a folder of their own, where they are no uploads."
  }

  assert {
    condition = jsondecode(aws_iam_policy.jobs[0].policy).Statement[4] == {
      Sid       = "EncryptAndDecryptManifests"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
      Resource  = "arn:aws-cn:kms:cn-north-1:123456789012:key/destination"
      Condition = { StringEquals = { "kms:ViaService" = "s3.cn-north-1.amazonaws.com.cn" } }
    }
    error_message = "S3 must be able to write and read the manifests that it makes, with the key of the bucket that they are in."
  }
}

run "with_bounds" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    batch_operations = true
    role             = { path = "/images/resize/", permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bounds" }
  }

  assert {
    condition = (
      aws_iam_role.jobs[0].path == "/images/resize/"
      && aws_iam_policy.jobs[0].path == "/images/resize/"
      && aws_iam_role.jobs[0].permissions_boundary == "arn:aws:iam::123456789012:policy/bounds"
    )
    error_message = "This role must have the path and the boundary of the other."
  }
}

run "with_the_longest_name" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    batch_operations = true
    name             = "a23456789-123456789-123456789-123456789-123456789-123456789"
  }

  assert {
    condition     = length(aws_iam_role.jobs[0].name) == 64
    error_message = "IAM must have room for the role's name."
  }
}

run "beside_the_uploads" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    batch_operations   = true
    source_bucket      = { name = "one" }
    destination_bucket = { name = "one" }
    filters            = [{ prefix = "in/" }]
    renditions         = { resized = { scale = 0.5, key = "resized/{dir}{name}" } }
  }
}

run "from_the_root" {
  command = plan

  variables {
    batch_operations   = true
    source_bucket      = "src-bucket-image-in"
    destination_bucket = "dest-bucket-image-out"
    kms_key_arns       = { destination_bucket = "arn:aws:kms:eu-west-2:123456789012:key/destination" }
  }

  assert {
    condition     = output.batch_operations_role_arn == "arn:aws:iam::123456789012:role/Lambda-image-role"
    error_message = "The root module must pass the option on, and the role's ARN back."
  }
}

run "from_the_root_not_asked_for" {
  command = plan

  variables {
    source_bucket      = "src-bucket-image-in"
    destination_bucket = "dest-bucket-image-out"
  }

  assert {
    condition     = output.batch_operations_role_arn == null
    error_message = "By default the root module must make no such role, either."
  }
}
