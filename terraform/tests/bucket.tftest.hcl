# One hardened bucket, and the notification on it.

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
    error_message = "Name and tags must be as given, and a bucket with images must not be destroyed by default."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.this.block_public_acls
      && aws_s3_bucket_public_access_block.this.block_public_policy
      && aws_s3_bucket_public_access_block.this.ignore_public_acls
      && aws_s3_bucket_public_access_block.this.restrict_public_buckets
      && aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    )
    error_message = "All public access must be blocked, and ACLs be off."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Objects must be encrypted."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Versions must be kept."
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
    error_message = "Everything without TLS must be denied."
  }

  assert {
    condition = (
      one(aws_s3_bucket_lifecycle_configuration.this.rule).abort_incomplete_multipart_upload[0].days_after_initiation == 7
      && one(aws_s3_bucket_lifecycle_configuration.this.rule).noncurrent_version_expiration[0].noncurrent_days == 30
      && one(aws_s3_bucket_lifecycle_configuration.this.rule).status == "Enabled"
    )
    error_message = "Abandoned uploads and old versions must not be paid for."
  }
}

run "notification" {
  command = plan

  module {
    source = "./modules/notification"
  }

  variables {
    bucket       = "a-bucket"
    function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
  }

  assert {
    condition = (
      aws_s3_bucket_notification.this.bucket == "a-bucket"
      && aws_s3_bucket_notification.this.lambda_function[0].lambda_function_arn == "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
      && aws_s3_bucket_notification.this.lambda_function[0].events == toset(["s3:ObjectCreated:*"])
    )
    error_message = "Every way of creating an object must notify the function."
  }
}

run "name_too_short" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "ab"
  }
}

run "name_too_long" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }
}

run "name_in_upper_case" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "A-Bucket"
  }
}

run "name_ends_in_a_dot" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a-bucket."
  }
}

run "name_with_two_dots" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a..bucket"
  }
}

run "name_that_is_an_address" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "192.168.0.1"
  }
}

run "name_that_begins_reserved" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "sthree-bucket"
  }
}

run "name_that_ends_reserved" {
  command         = plan
  expect_failures = [var.name]

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a-bucket--x-s3"
  }
}

run "longest_name" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    name = "a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-a.1-abc"
  }
}
