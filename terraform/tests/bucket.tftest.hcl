# The bucket and its notification configuration.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "bucket" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a-bucket"
    tags = { team = "images" }
  }

  assert {
    condition     = aws_s3_bucket.this.bucket == "a-bucket" && !aws_s3_bucket.this.force_destroy && aws_s3_bucket.this.tags == tomap({ team = "images" })
    error_message = "Name and tags must be as given, and by default Terraform must not destroy a bucket with objects."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls
      && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls
      && aws_s3_bucket_public_access_block.this.restrict_public_buckets
      && aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    )
    error_message = "All public access must be blocked, and ACLs must be off."
  }

  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
      && !one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "Objects must be encrypted with S3's own keys, which no bucket key replaces."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must have versions."
  }

  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy) == {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::a-bucket", "arn:aws:s3:::a-bucket/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
    error_message = "The policy must deny every request without TLS."
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.this.rule).abort_incomplete_multipart_upload[0].days_after_initiation == 7
      && one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 30
      && one(aws_s3_bucket_lifecycle_configuration.this.rule).expiration[0].expired_object_delete_marker
      && one(aws_s3_bucket_lifecycle_configuration.this.rule).status == "Enabled"
    )
    error_message = "Lifecycle rules must delete incomplete uploads, old versions, and delete markers without versions."
  }

  assert {
    condition     = length(aws_s3_bucket_cors_configuration.this) + length(aws_s3_bucket_logging.this) == 0
    error_message = "Without rules, no website may call the bucket; without a target, S3 must write no access log."
  }
}

run "own_key_and_longest_name" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name        = "a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-abc"
    kms_key_arn = "arn:aws:kms:eu-west-2:123456789012:key/a-key"
  }

  assert {
    condition = (
      one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-west-2:123456789012:key/a-key"
      && one(aws_s3_bucket_server_side_encryption_configuration.this.rule).bucket_key_enabled
    )
    error_message = "The key must encrypt objects, with one request to KMS for many of them."
  }
}

run "additions" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a-bucket"
    policy_statements = [
      { sid = "OneMayRead", principals = { Service = ["cloudfront.amazonaws.com"] }, actions = ["s3:GetObject"], conditions = { StringEquals = { "aws:SourceArn" = ["arn:aws:cloudfront::123456789012:distribution/E1"] } } },
      { sid = "NobodyDeletes", effect = "Deny", principals = { AWS = ["*"] }, actions = ["s3:DeleteObject", "s3:DeleteBucket"], resources = ["", "/a/*"] },
    ]
    lifecycle_rules = [
      { id = "expire", prefix = "a/", expiration_days = 365, transitions = [{ days = 30, storage_class = "STANDARD_IA" }, { days = 90, storage_class = "GLACIER" }] },
      { id = "cool", transitions = [{ days = 0, storage_class = "GLACIER_IR" }] },
    ]
    cors_rules = [{ allowed_origins = ["https://www.example.com"], allowed_methods = ["PUT"], allowed_headers = ["*"], expose_headers = ["ETag"], max_age_seconds = 3000 }]
    logging    = { target_bucket = "logs", target_prefix = "a/" }
  }

  assert {
    condition = jsonencode(slice(jsondecode(aws_s3_bucket_policy.this.policy).Statement, 1, 3)) == jsonencode([
      {
        Sid       = "OneMayRead"
        Effect    = "Allow"
        Principal = { Service = ["cloudfront.amazonaws.com"] }
        Action    = ["s3:GetObject"]
        Resource  = ["arn:aws:s3:::a-bucket/*"]
        Condition = { StringEquals = { "aws:SourceArn" = ["arn:aws:cloudfront::123456789012:distribution/E1"] } }
      },
      {
        Sid       = "NobodyDeletes"
        Effect    = "Deny"
        Principal = { AWS = ["*"] }
        Action    = ["s3:DeleteObject", "s3:DeleteBucket"]
        Resource  = ["arn:aws:s3:::a-bucket", "arn:aws:s3:::a-bucket/a/*"]
      },
    ])
    error_message = "The policy must have the statements after the module's own."
  }

  assert {
    condition = jsonencode([
      for one in aws_s3_bucket_lifecycle_configuration.this.rule : [
        one.id, one.status, one.filter[0].prefix, one.expiration[*].days, [for move in one.transition : "${move.days} ${move.storage_class}"],
      ] if one.id != "tidy"
      ]) == jsonencode([
      ["expire", "Enabled", "a/", [365], ["30 STANDARD_IA", "90 GLACIER"]],
      ["cool", "Enabled", "", [], ["0 GLACIER_IR"]],
    ]) && length(aws_s3_bucket_lifecycle_configuration.this.rule) == 3
    error_message = "The lifecycle rules must be beside the module's own."
  }

  assert {
    condition = jsonencode([
      for one in aws_s3_bucket_cors_configuration.this[0].cors_rule :
      [one.allowed_origins, one.allowed_methods, one.allowed_headers, one.expose_headers, one.max_age_seconds]
    ]) == jsonencode([[["https://www.example.com"], ["PUT"], ["*"], ["ETag"], 3000]])
    error_message = "The CORS rule must be as given."
  }

  assert {
    condition     = aws_s3_bucket_logging.this[0].target_bucket == "logs" && aws_s3_bucket_logging.this[0].target_prefix == "a/"
    error_message = "The access log must go where it was sent."
  }
}

run "notification" {
  command = plan

  module {
    source = "./modules/notification"
  }

  variables {
    bucket = "a-bucket"
    lambda_notification = [
      { id = "a", lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:a", events = ["s3:ObjectCreated:*"], filter_prefix = "a/" },
      { id = "b", lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:b", events = ["s3:ObjectCreated:*"], filter_prefix = "b/", filter_suffix = ".jpg" },
    ]
  }

  assert {
    condition = (
      aws_s3_bucket_notification.this.bucket == "a-bucket"
      && !aws_s3_bucket_notification.this.eventbridge
      && jsonencode([for one in aws_s3_bucket_notification.this.lambda_function : [one.id, one.lambda_function_arn, tolist(one.events), one.filter_prefix, one.filter_suffix]]) == jsonencode([
        ["a", "arn:aws:lambda:eu-west-2:123456789012:function:a", ["s3:ObjectCreated:*"], "a/", null],
        ["b", "arn:aws:lambda:eu-west-2:123456789012:function:b", ["s3:ObjectCreated:*"], "b/", ".jpg"],
      ])
    )
    error_message = "The bucket must notify exactly the given functions."
  }
}

run "notifications_of_one_key_and_different_events" {
  command = plan

  module {
    source = "./modules/notification"
  }

  variables {
    bucket = "a-bucket"
    lambda_notification = [
      { id = "a", lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:a", events = ["s3:ObjectTagging:*", "s3:LifecycleTransition"] },
      { id = "b", lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:b", events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"] },
    ]
  }

  assert {
    condition     = [for one in aws_s3_bucket_notification.this.lambda_function : length(one.events)] == [2, 3]
    error_message = "The bucket must notify each function of all its events."
  }
}

run "notification_by_eventbridge" {
  command = plan

  module {
    source = "./modules/notification"
  }

  variables {
    bucket      = "a-bucket"
    eventbridge = true
  }

  assert {
    condition     = aws_s3_bucket_notification.this.eventbridge && length(aws_s3_bucket_notification.this.lambda_function) == 0
    error_message = "The bucket must send its events only to EventBridge."
  }
}
