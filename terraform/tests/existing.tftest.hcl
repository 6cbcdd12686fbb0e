# What a team brings: a role, a log group, layers, environment variables, a code signing configuration.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package            = { path = "./tests/package/function.zip" }
  source_bucket      = "src-bucket-image-in"
  destination_bucket = "dest-bucket-image-out"
}

run "nothing_is_created_beside_what_exists" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "src-bucket-image-in" }
    destination_bucket = { name = "dest-bucket-image-out" }
    role               = { create = false, arn = "arn:aws:iam::123456789012:role/platform/resize" }
    log_group          = { create = false, name = "/platform/resize" }
    log_levels         = { application = "WARN", system = "WARN" }
    package = {
      s3           = { bucket = "artifacts", key = "signed/function.zip" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.13"
      architecture = "arm64"
    }
    function = {
      environment_variables   = { OTEL_SERVICE_NAME = "resize" }
      layers                  = ["arn:aws:lambda:eu-west-2:123456789012:layer:otel:3"]
      code_signing_config_arn = "arn:aws:lambda:eu-west-2:123456789012:code-signing-config:csc-0f6c334abcdea4d8b"
    }
  }

  assert {
    condition = length(concat(
      aws_iam_role.this[*].name,
      aws_iam_policy.this[*].name,
      aws_iam_role_policy_attachment.this[*].role,
      aws_cloudwatch_log_group.this[*].name,
    )) == 0
    error_message = "The module must create no role, policy, attachment or log group."
  }

  assert {
    condition = (
      aws_lambda_function.this.role == "arn:aws:iam::123456789012:role/platform/resize"
      && output.role_arn == "arn:aws:iam::123456789012:role/platform/resize"
      && output.role_name == "resize"
      && aws_lambda_function.this.logging_config[0].log_group == "/platform/resize"
      && output.log_group_name == "/platform/resize"
    )
    error_message = "The function must use the existing role and log group."
  }

  assert {
    condition = [for one in jsondecode(output.role_policy_json).Statement : one.Resource if one.Sid == "WriteLog"] == [
      "arn:aws:logs:eu-west-2:123456789012:log-group:/platform/resize:*"
    ]
    error_message = "The policy must allow the existing log group."
  }

  assert {
    condition = (
      aws_lambda_function.this.environment[0].variables.OTEL_SERVICE_NAME == "resize"
      && aws_lambda_function.this.environment[0].variables.SOURCE_BUCKET == "src-bucket-image-in"
      && aws_lambda_function.this.layers == tolist(["arn:aws:lambda:eu-west-2:123456789012:layer:otel:3"])
      && aws_lambda_function.this.code_signing_config_arn == "arn:aws:lambda:eu-west-2:123456789012:code-signing-config:csc-0f6c334abcdea4d8b"
      && aws_lambda_function.this.logging_config[0].application_log_level == "WARN"
      && aws_lambda_function.this.logging_config[0].system_log_level == "WARN"
    )
    error_message = "The function must have the given variables, layers, levels and code signing configuration."
  }
}

run "the_root_passes_everything_on" {
  command = plan

  variables {
    role       = { create = false, arn = "arn:aws:iam::123456789012:role/resize" }
    log_group  = { create = false, name = "/platform/resize" }
    log_levels = { application = "WARN" }
    monitoring = { enabled = false }
    function   = { environment_variables = { OTEL_SERVICE_NAME = "resize" } }
  }

  assert {
    condition = (
      output.role_arn == "arn:aws:iam::123456789012:role/resize"
      && output.log_group_name == "/platform/resize"
      && strcontains(output.role_policy_json, "log-group:/platform/resize:*")
    )
    error_message = "The root must pass on role and log_group, and return the policy."
  }
}

run "a_created_role_and_log_group" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    source_bucket      = { name = "src-bucket-image-in" }
    destination_bucket = { name = "dest-bucket-image-out" }
    role               = { force_detach_policies = true }
    batch_operations   = true
    log_group          = { name = "/images/resize", class = "INFREQUENT_ACCESS" }
  }

  assert {
    condition     = aws_iam_role.this[0].force_detach_policies && aws_iam_role.jobs[0].force_detach_policies
    error_message = "Both roles must have force_detach_policies."
  }

  assert {
    condition = (
      aws_cloudwatch_log_group.this[0].name == "/images/resize"
      && aws_cloudwatch_log_group.this[0].log_group_class == "INFREQUENT_ACCESS"
      && aws_lambda_function.this.logging_config[0].log_group == "/images/resize"
      && output.role_policy_json == aws_iam_policy.this[0].policy
    )
    error_message = "The log group must have the name and the class, and the policy must be the output."
  }
}
