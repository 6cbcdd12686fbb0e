# The function, its role and policy, its queue and its log.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "Lambda-image"
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
}

run "plan" {
  command = plan

  module {
    source = "./modules/function"
  }

  assert {
    condition = (
      aws_lambda_function.this.function_name == "Lambda-image"
      && aws_iam_role.this[0].name == "Lambda-image-role"
      && aws_iam_policy.this[0].name == "Lambda-image-policy"
      && aws_sqs_queue.failures.name == "Lambda-image-failures"
      && aws_cloudwatch_log_group.this[0].name == "/aws/lambda/Lambda-image"
    )
    error_message = "Names must follow var.name as documented."
  }

  assert {
    condition = (
      aws_lambda_function.this.filename == "./tests/package/function.zip"
      && aws_lambda_function.this.s3_bucket == null
      && aws_lambda_function.this.runtime == "python3.13"
      && aws_lambda_function.this.architectures == tolist(["arm64"])
      && aws_lambda_function.this.handler == "lambda_function.lambda_handler"
      && aws_lambda_function.this.source_code_hash == "ED/Bq1SfJSDHU0dUVmP4n8KbdT/x6YNhwI5KxL/DU/E="
    )
    error_message = "The zip must be uploaded from its path; runtime, architecture, handler and hash must be the manifest's."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      MALLOC_ARENA_MAX       = "1"
      MALLOC_MMAP_MAX_       = "0"
      MALLOC_TRIM_THRESHOLD_ = "268435456"
      SOURCE_BUCKET          = "src-bucket-image-in"
      DESTINATION_BUCKET     = "dest-bucket-image-out"
      FAILURE_QUEUE_URL      = "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
      METADATA               = "copyright"
      TIMEOUT_SECONDS        = "120"
      RENDITIONS             = "{\"resized\":{\"background\":\"#ffffff\",\"fit\":\"inside\",\"key\":\"{dir}{rendition}-{name}\",\"scale\":0.5}}"
    })
    error_message = "The environment must be what the function's settings.py reads."
  }

  assert {
    condition = (
      aws_lambda_function.this.memory_size == 1769
      && aws_lambda_function.this.timeout == 120
      && aws_lambda_function.this.logging_config[0].log_format == "JSON"
      && aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/Lambda-image"
      && aws_cloudwatch_log_group.this[0].retention_in_days == 30
      && aws_lambda_function.this.ephemeral_storage[0].size == 512
      && aws_lambda_function.this.reserved_concurrent_executions == -1
      && aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
      && length(aws_lambda_function.this.vpc_config) == 0
      && aws_lambda_function.this.kms_key_arn == null
      && aws_iam_role.this[0].path == "/"
      && aws_iam_role.this[0].permissions_boundary == null
      && length(aws_cloudwatch_event_rule.uploads) == 0
    )
    error_message = "Defaults must be as documented."
  }

  assert {
    condition = jsondecode(aws_iam_role.this[0].assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "LambdaAssumesThis"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "lambda.amazonaws.com" }
      }]
    }
    error_message = "Only Lambda may assume the role."
  }

  assert {
    condition = jsondecode(aws_iam_policy.this[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "ReadSourceImages"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = "arn:aws:s3:::src-bucket-image-in/*"
        },
        {
          Sid      = "TellMissingFromDenied"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = "arn:aws:s3:::src-bucket-image-in"
        },
        {
          Sid      = "WriteResizedImages"
          Effect   = "Allow"
          Action   = "s3:PutObject"
          Resource = "arn:aws:s3:::dest-bucket-image-out/*"
        },
        {
          Sid      = "ReportFailures"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures"
        },
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "arn:aws:logs:eu-west-2:123456789012:log-group:/aws/lambda/Lambda-image:*"
        },
      ]
    }
    error_message = "The policy must allow what the function does and nothing else."
  }

  assert {
    condition = (
      aws_lambda_function.this.role == "arn:aws:iam::123456789012:role/Lambda-image-role"
      && output.role_name == "Lambda-image-role"
      && aws_iam_role_policy_attachment.this[0].role == aws_iam_role.this[0].id
      && aws_iam_role_policy_attachment.this[0].policy_arn == "arn:aws:iam::123456789012:policy/Lambda-image-policy"
    )
    error_message = "The function must have the role, and the role must have the policy."
  }

  assert {
    condition = (
      aws_lambda_function_event_invoke_config.this.function_name == aws_lambda_function.this.id
      && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2
      && aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 21600
      && aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure[0].destination == "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures"
    )
    error_message = "Lambda must retry failed events, then send them to the failure queue."
  }

  assert {
    condition = (
      aws_lambda_permission.source_bucket[0].principal == "s3.amazonaws.com"
      && aws_lambda_permission.source_bucket[0].action == "lambda:InvokeFunction"
      && aws_lambda_permission.source_bucket[0].function_name == aws_lambda_function.this.id
      && aws_lambda_permission.source_bucket[0].source_arn == "arn:aws:s3:::src-bucket-image-in"
      && aws_lambda_permission.source_bucket[0].source_account == "123456789012"
    )
    error_message = "Only this account's source bucket may invoke the function."
  }

  assert {
    condition = (
      aws_sqs_queue.failures.message_retention_seconds == 1209600
      && aws_sqs_queue.failures.sqs_managed_sse_enabled
      && aws_sqs_queue_policy.failures.queue_url == "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
      && jsondecode(aws_sqs_queue_policy.failures.policy) == {
        Version = "2012-10-17"
        Statement = [{
          Sid       = "OnlyOverTls"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        }]
      }
    )
    error_message = "The failure queue must keep messages for 14 days, encrypted, and accept only TLS."
  }
}

run "smallest" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name               = "a"
    function           = { memory_size = 256, timeout = 1, ephemeral_storage_size = 512, reserved_concurrent_executions = 0 }
    log_retention_days = 0
    asynchronous       = { maximum_retry_attempts = 0, maximum_event_age_in_seconds = 60 }
    renditions         = { a = { scale = 0.0001 } }
  }
}

run "largest" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name               = "L23456789_123456789-123456789_123456789-123456789_123456789"
    function           = { memory_size = 10240, timeout = 900, ephemeral_storage_size = 10240, reserved_concurrent_executions = 1000 }
    log_retention_days = 3653
    asynchronous       = { maximum_retry_attempts = 2, maximum_event_age_in_seconds = 21600 }
    renditions         = { a = { scale = 1 }, ab = { width = 65535 }, b-a = { height = 1 } }
    role               = { permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess" }
    batch_operations   = true
    tags               = { team = "images" }
  }

  assert {
    condition = alltrue([
      for tagged in [
        aws_cloudwatch_log_group.this[0],
        aws_iam_policy.this[0],
        aws_iam_role.this[0],
        aws_lambda_function.this,
        aws_sqs_queue.failures,
      ] : tagged.tags == tomap({ team = "images" })
    ])
    error_message = "Every resource that can have tags must have them."
  }

  assert {
    condition     = length(aws_iam_role.this[0].name) == 64 && length(aws_iam_role.jobs[0].name) == 64
    error_message = "The role names must fit into IAM's limit."
  }

  assert {
    condition     = aws_lambda_function.this.timeout == 900 && aws_lambda_function.this.environment[0].variables.TIMEOUT_SECONDS == "900"
    error_message = "The function must receive its own timeout."
  }
}

run "renditions_of_every_kind" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    max_pixels = 1000000
    metadata   = "all"
    renditions = {
      half   = { scale = 0.5 }
      thumb  = { width = 320, height = 320, fit = "cover", format = "webp", quality = 70, cache_control = "max-age=60" }
      square = { width = 64, height = 64, key = "{rendition}/{dir}square-{name}", storage_class = "STANDARD_IA" }
      named  = { height = 100, key = "{dir}by-height/h-{name}.{ext}", background = "#000000", format = "jpeg" }
    }
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this.environment[0].variables.RENDITIONS).thumb == { background = "#ffffff", cache_control = "max-age=60", fit = "cover", format = "webp", height = 320, key = "{dir}{rendition}-{name}", quality = 70, width = 320 }
    error_message = "The function must receive exactly the options that are set."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.METADATA == "all" && aws_lambda_function.this.environment[0].variables.MAX_PIXELS == "1000000"
    error_message = "The function must receive the metadata setting and the pixel limit."
  }
}

run "manifests" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    destination_bucket = { name = "dest-bucket-image-out", prefix = "v1.2/" }
    manifest           = true
    renditions = {
      half  = { scale = 0.5 }
      named = { height = 100, key = "{dir}v1.2/{stem}/h-{name}.{ext}", format = "jpeg" }
    }
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.MANIFEST == "v1.2/{dir}{name}.renditions.json"
    error_message = "The function must receive the manifests' key, with the destination's prefix."
  }
}
