# The role's permissions with every option, and which key encrypts what.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
}

run "own_keys" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "src-bucket-image-in", kms_key_arn = "arn:aws:kms:eu-west-2:123456789012:key/source" }
    destination_bucket = { name = "dest-bucket-image-out", kms_key_arn = "arn:aws:kms:eu-west-2:123456789012:key/destination" }
    trigger            = "eventbridge"
    kms_key_arns = {
      environment = "arn:aws:kms:eu-west-2:123456789012:key/environment"
      log_group   = "arn:aws:kms:eu-west-2:123456789012:key/log-group"
      queues      = "arn:aws:kms:eu-west-2:123456789012:key/queues"
    }
  }

  assert {
    condition = [for one in jsondecode(aws_iam_policy.this[0].policy).Statement : one if startswith(one.Sid, "Decrypt") || startswith(one.Sid, "Encrypt")] == [
      {
        Sid       = "DecryptSourceImages"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = "arn:aws:kms:eu-west-2:123456789012:key/source"
        Condition = { StringLike = { "kms:ViaService" = "s3.eu-west-2.*" } }
      },
      {
        Sid       = "EncryptResizedImages"
        Effect    = "Allow"
        Action    = "kms:GenerateDataKey"
        Resource  = "arn:aws:kms:eu-west-2:123456789012:key/destination"
        Condition = { StringLike = { "kms:ViaService" = "s3.eu-west-2.*" } }
      },
      {
        Sid       = "EncryptFailures"
        Effect    = "Allow"
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "arn:aws:kms:eu-west-2:123456789012:key/queues"
        Condition = { StringLike = { "kms:ViaService" = "sqs.eu-west-2.*" } }
      },
    ]
    error_message = "The role may use each key only for the actions of its service."
  }

  assert {
    condition = (
      aws_lambda_function.this.kms_key_arn == "arn:aws:kms:eu-west-2:123456789012:key/environment"
      && aws_cloudwatch_log_group.this[0].kms_key_id == "arn:aws:kms:eu-west-2:123456789012:key/log-group"
      && aws_sqs_queue.failures.kms_master_key_id == "arn:aws:kms:eu-west-2:123456789012:key/queues"
      && aws_sqs_queue.undelivered[0].kms_master_key_id == "arn:aws:kms:eu-west-2:123456789012:key/queues"
    )
    error_message = "Each resource must use its own key."
  }
}

run "in_another_partition" {
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
    source_bucket  = { name = "src-bucket-image-in", kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/source" }
    mirror_deletes = true
  }

  assert {
    condition = [
      for one in jsondecode(aws_iam_policy.this[0].policy).Statement : one.Resource if one.Sid != "ReportFailures" && one.Sid != "WriteLog"
      ] == [
      "arn:aws-cn:s3:::src-bucket-image-in/*",
      "arn:aws-cn:s3:::src-bucket-image-in",
      "arn:aws-cn:s3:::dest-bucket-image-out/*",
      "arn:aws-cn:kms:cn-north-1:123456789012:key/source",
      "arn:aws-cn:s3:::dest-bucket-image-out/*",
      "arn:aws-cn:s3:::dest-bucket-image-out/*",
    ]
    error_message = "ARNs must name the current partition."
  }

  assert {
    condition     = jsondecode(aws_iam_policy.this[0].policy).Statement[5].Condition.StringLike["kms:ViaService"] == "s3.cn-north-1.*"
    error_message = "The service's domain must fit the partition's."
  }
}

run "signed_by_a_kms_key" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = {
      s3           = { bucket = "artifacts", key = "function.zip" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.13"
      architecture = "arm64"
    }
    content_credentials = {
      kms_key_arn       = "arn:aws:kms:eu-west-2:123456789012:key/signing"
      certificate_chain = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    }
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 6) == [{
      Sid      = "SignContentCredentials"
      Effect   = "Allow"
      Action   = "kms:Sign"
      Resource = "arn:aws:kms:eu-west-2:123456789012:key/signing"
    }] && length(jsondecode(aws_iam_policy.this[0].policy).Statement) == 6
    error_message = "The role may only sign, and only with the key."
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this.environment[0].variables["CONTENT_CREDENTIALS"]) == { kms_key_arn = var.content_credentials.kms_key_arn, certificate_chain = var.content_credentials.certificate_chain }
    error_message = "The function must get the key and its certificates, and nothing else."
  }
}

run "signed_with_a_secret" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = {
      s3           = { bucket = "artifacts", key = "function.zip" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.13"
      architecture = "arm64"
    }
    content_credentials = { secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:signer-a1B2c3" }
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 6) == [{
      Sid      = "ReadSigningKey"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:signer-a1B2c3"
    }] && length(jsondecode(aws_iam_policy.this[0].policy).Statement) == 6
    error_message = "The role may only read the secret."
  }
}

run "events_on_a_bus" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    events = { eventbridge_bus_arn = "arn:aws:events:eu-west-2:123456789012:event-bus/media" }
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 6) == [{
      Sid      = "SendCompletionEvents"
      Effect   = "Allow"
      Action   = "events:PutEvents"
      Resource = "arn:aws:events:eu-west-2:123456789012:event-bus/media"
    }] && length(jsondecode(aws_iam_policy.this[0].policy).Statement) == 6
    error_message = "The role gains one action, on the target alone."
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this.environment[0].variables["EVENTS"]) == { eventbridge_bus_arn = "arn:aws:events:eu-west-2:123456789012:event-bus/media" }
    error_message = "The function must get the target, and nothing else."
  }
}

run "events_on_a_topic" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    events       = { sns_topic_arn = "arn:aws:sns:eu-west-2:123456789012:media" }
    placeholders = true
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 6) == [{
      Sid      = "PublishCompletionEvents"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = "arn:aws:sns:eu-west-2:123456789012:media"
    }] && length(jsondecode(aws_iam_policy.this[0].policy).Statement) == 6
    error_message = "The role gains one action, on the target alone."
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this.environment[0].variables["EVENTS"]) == { sns_topic_arn = "arn:aws:sns:eu-west-2:123456789012:media" }
    error_message = "The function must get the target, and nothing else."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["PLACEHOLDERS"] == "true"
    error_message = "Events have placeholders, also without manifests."
  }
}

run "traced_and_in_a_vpc" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = { tracing = true, vpc = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"], replace_security_groups_on_destroy = true } }
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 9) == [
      {
        Sid      = "Trace"
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      },
      {
        Sid      = "MakeNetworkInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
        Resource = ["arn:aws:ec2:*:123456789012:*/*", "arn:aws:ec2:*:*:subnet/*"]
      },
      {
        Sid      = "SeeNetworkInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        Resource = "*"
      },
      {
        Sid       = "NotFromWithinTheFunction"
        Effect    = "Deny"
        Action    = "ec2:*"
        Resource  = "*"
        Condition = { ArnLike = { "lambda:SourceFunctionArn" = "arn:aws:lambda:*:123456789012:function:Lambda-image" } }
      },
    ]
    error_message = "The role must have the permissions for tracing and for a VPC."
  }

  assert {
    condition = (
      length(jsondecode(aws_iam_policy.this[0].policy).Statement) == 9
      && aws_lambda_function.this.tracing_config[0].mode == "Active"
      && aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"])
      && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
      && aws_lambda_function.this.replace_security_groups_on_destroy
    )
    error_message = "The function must be traced, and must be in the VPC."
  }
}

run "leaving_a_vpc" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = { vpc = { subnet_ids = [], security_group_ids = [] } }
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0 && strcontains(aws_iam_policy.this[0].policy, "ec2:DeleteNetworkInterface")
    error_message = "The function must be outside a VPC, and Lambda must be able to delete its network interfaces."
  }
}

run "a_role_with_bounds" {
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
      alltrue([for one in [aws_iam_role.this[0], aws_iam_policy.this[0], aws_iam_role.jobs[0], aws_iam_policy.jobs[0]] : one.path == "/images/resize/"])
      && aws_iam_role.this[0].permissions_boundary == "arn:aws:iam::123456789012:policy/bounds"
      && aws_iam_role.jobs[0].permissions_boundary == "arn:aws:iam::123456789012:policy/bounds"
    )
    error_message = "Both roles must have the path and the boundary."
  }
}

run "the_kill_switch" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    function = { reserved_concurrent_executions = 0 }
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 0
    error_message = "Lambda must receive 0, which stops the function."
  }
}

run "a_source_of_another_account" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket = { name = "src-bucket-image-in", prefix = "photos/", account_id = "210987654321" }
  }

  assert {
    condition = (
      aws_lambda_permission.source_bucket[0].source_account == "210987654321"
      && aws_lambda_permission.source_bucket[0].source_arn == "arn:aws:s3:::src-bucket-image-in"
    )
    error_message = "Only that account's source bucket may invoke the function."
  }

  assert {
    condition = jsondecode(output.source_bucket_policy_json).Statement == [
      {
        Sid       = "ReadSourceImages"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::123456789012:role/Lambda-image-role" }
        Action    = "s3:GetObject"
        Resource  = "arn:aws:s3:::src-bucket-image-in/photos/*"
      },
      {
        Sid       = "TellMissingFromDenied"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::123456789012:role/Lambda-image-role" }
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::src-bucket-image-in"
      },
    ]
    error_message = "The owner must let the role read and list the bucket."
  }
}
