# Every option of the root module, with a value other than its default and than other options' values.
# tests/terraform/test_options.py finds each in the plans, and fails if one is missing here.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "defaults" {
  command = plan

  variables {
    source_bucket      = "defaults-in"
    destination_bucket = "defaults-out"
    package            = { path = "./tests/package/function.zip" }
  }
}

run "sets" {
  command = plan

  variables {
    source_bucket      = "sets-in"
    destination_bucket = "sets-out"
    package            = { path = "./tests/package/function.zip" }

    renditions = {
      photo   = { widths = [320, 640, 1280, 1920], formats = ["avif", "webp", "jpeg"], cache_control = "max-age=86400" }
      card    = { widths = [320, 640], height = 200, fit = "cover", hdr = "keep", key = "{dir}c-{rendition}.{name}" }
      lossy   = { scale = 0.5, formats = ["jpeg"], quality = 70, background = "#000000" }
      resized = { scale = 0.5, widths = null, formats = null }
    }
  }
}

run "everything" {
  command = plan

  variables {
    source_bucket      = "options-in"
    destination_bucket = "options-out"
    name               = "options"
    tags               = { team = "images" }
    package = {
      s3           = { bucket = "artifacts", key = "function.zip", version = "a-version" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.12"
      architecture = "x86_64"
    }

    trigger          = "both"
    filters          = [{ prefix = "photos/", suffix = ".jpg" }]
    manifest         = true
    placeholders     = true
    mirror_deletes   = true
    batch_operations = true
    force_destroy    = true

    renditions = {
      scaled = { scale = 0.25, ssimulacra2 = 72.5, hdr = "drop" }
      photo  = { widths = [640], formats = ["avif"] }
      sized = {
        width         = 1600
        height        = 1200
        fit           = "cover"
        focus         = "metadata"
        format        = "webp"
        quality       = 75
        key           = "{dir}sized-{name}"
        background    = "#102030"
        cache_control = "max-age=60"
        storage_class = "STANDARD_IA"
      }
    }
    metadata   = "all"
    max_pixels = 1000000

    content_credentials = {
      kms_key_arn       = "arn:aws:kms:eu-west-2:123456789012:key/signing"
      certificate_chain = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    }

    events = { eventbridge_bus_arn = "arn:aws:events:eu-west-2:123456789012:event-bus/media" }

    function = {
      memory_size                    = 3008
      timeout                        = 60
      ephemeral_storage_size         = 1024
      reserved_concurrent_executions = 7
      tracing                        = true
      environment_variables          = { OTEL_SERVICE_NAME = "resize" }
      layers                         = ["arn:aws:lambda:eu-west-2:123456789012:layer:otel:3"]
      code_signing_config_arn        = "arn:aws:lambda:eu-west-2:123456789012:code-signing-config:csc-0f6c334abcdea4d8b"
      vpc                            = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"], replace_security_groups_on_destroy = true }
    }
    # receives_events: with false, the plan would have nothing that the defaults lack.
    alias              = { name = "options-alias", version = "12", weights = { "13" = 0.25 }, receives_events = true }
    asynchronous       = { maximum_retry_attempts = 1, maximum_event_age_in_seconds = 3600 }
    role               = { path = "/images/", permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bounds", force_detach_policies = true }
    log_group          = { name = "/options/resize" }
    log_retention_days = 90
    kms_key_arns = {
      source_bucket      = "arn:aws:kms:eu-west-2:123456789012:key/source"
      destination_bucket = "arn:aws:kms:eu-west-2:123456789012:key/destination"
      environment        = "arn:aws:kms:eu-west-2:123456789012:key/environment"
      log_group          = "arn:aws:kms:eu-west-2:123456789012:key/log-group"
      queues             = "arn:aws:kms:eu-west-2:123456789012:key/queues"
    }

    source_bucket_options = {
      policy_statements = [{
        sid        = "Source"
        effect     = "Deny"
        principals = { AWS = ["arn:aws:iam::123456789012:role/source"] }
        actions    = ["s3:DeleteObject"]
        resources  = ["/source/*"]
        conditions = { StringEquals = { "aws:PrincipalTag/team" = ["source"] } }
      }]
      lifecycle_rules = [{ id = "source", prefix = "source/", expiration_days = 500, transitions = [{ days = 50, storage_class = "GLACIER" }] }]
      cors_rules      = [{ allowed_origins = ["https://source.example.com"], allowed_methods = ["PUT"], allowed_headers = ["x-source"], expose_headers = ["ETag"], max_age_seconds = 51 }]
      logging         = { target_bucket = "source-logs", target_prefix = "source/" }
    }
    destination_bucket_options = {
      eventbridge = true
      policy_statements = [{
        sid        = "Destination"
        effect     = "Deny"
        principals = { AWS = ["arn:aws:iam::123456789012:role/destination"] }
        actions    = ["s3:GetObject"]
        resources  = ["/destination/*"]
        conditions = { StringEquals = { "aws:PrincipalTag/team" = ["destination"] } }
      }]
      lifecycle_rules = [{ id = "destination", prefix = "destination/", expiration_days = 400, transitions = [{ days = 40, storage_class = "GLACIER_IR" }] }]
      cors_rules      = [{ allowed_origins = ["https://destination.example.com"], allowed_methods = ["GET"], allowed_headers = ["x-destination"], expose_headers = ["x-amz-id-2"], max_age_seconds = 41 }]
      logging         = { target_bucket = "destination-logs", target_prefix = "destination/" }
    }

    monitoring = {
      alarm_topic_arns = ["arn:aws:sns:eu-west-2:123456789012:alarms"]
      dashboard        = true
      runbook          = "https://wiki.example.com/images"
      thresholds       = { errors = 4, throttled_minutes = 45, timeout_percent = 50, failure_age_hours = 6, rejected_percent = 30, rejected_uploads = 8 }
    }
  }

  assert {
    condition = jsonencode({ for name, arn in output.alarm_arns : name => reverse(split(":", arn))[0] }) == jsonencode({
      for name in ["failure-age", "function-errors", "loop", "near-timeout", "records-lost", "rejected-rate", "throttles", "undelivered", "undelivered-lost"] :
      name => name == "rejected-rate" ? "Lambda-image-rejected-rate" : "Lambda-image"
    })
    error_message = "The output must have the ARN of each alarm."
  }

  assert {
    condition = jsonencode([
      output.batch_operations_role_arn,
      output.destination_bucket_arn,
      output.destination_bucket_name,
      output.destination_bucket_regional_domain_name,
      output.failure_queue_arn,
      output.failure_queue_url,
      output.function_arn,
      output.function_name,
      output.log_group_name,
      output.role_arn,
      output.role_name,
      output.source_bucket_arn,
      output.source_bucket_name,
      output.source_bucket_regional_domain_name,
      output.undelivered_queue_arn,
      output.undelivered_queue_url,
      ]) == jsonencode([
      "arn:aws:iam::123456789012:role/Lambda-image-jobs",
      "arn:aws:s3:::b-bucket",
      "options-out",
      "b-bucket.s3.eu-west-2.amazonaws.com",
      "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures",
      "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures",
      "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image",
      "options",
      "/options/resize",
      "arn:aws:iam::123456789012:role/Lambda-image-role",
      "options-role",
      "arn:aws:s3:::a-bucket",
      "options-in",
      "a-bucket.s3.eu-west-2.amazonaws.com",
      "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered",
      "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered",
    ])
    error_message = "Each output must return what its description says."
  }
}

run "signed_with_a_secret" {
  command = plan

  variables {
    source_bucket      = "signed-in"
    destination_bucket = "signed-out"
    package = {
      s3           = { bucket = "artifacts", key = "function.zip" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.13"
      architecture = "arm64"
    }
    content_credentials = { secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:signer-a1B2c3" }
  }
}

run "events_on_a_topic" {
  command = plan

  variables {
    source_bucket      = "events-in"
    destination_bucket = "events-out"
    package            = { path = "./tests/package/function.zip" }
    events             = { sns_topic_arn = "arn:aws:sns:eu-west-2:123456789012:media" }
  }
}

run "what_exists" {
  command = plan

  variables {
    source_bucket         = "existing-in"
    destination_bucket    = "existing-out"
    package               = { path = "./tests/mocks/../package/function.zip" }
    role                  = { create = false, arn = "arn:aws:iam::123456789012:role/platform/resize" }
    log_group             = { create = false, name = "/platform/resize" }
    log_levels            = { application = "WARN", system = "INFO" }
    monitoring            = { metrics = false, alarms = true }
    source_bucket_options = { eventbridge = true }
  }
}

run "without_monitoring" {
  command = plan

  variables {
    source_bucket      = "unmonitored-in"
    destination_bucket = "unmonitored-out"
    package            = { path = "./tests/package/function.zip" }
    log_group          = { class = "INFREQUENT_ACCESS" }
    monitoring         = { enabled = false }
  }
}
