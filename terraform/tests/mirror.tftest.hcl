# Deletions: by default neither trigger reports them, and the role may not delete outputs.

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

  variables {
    trigger            = "both"
    source_bucket      = { name = "one", prefix = "uploads/" }
    destination_bucket = { name = "one", prefix = "resized/" }
    filters            = [{ prefix = "a/" }, { prefix = "b/", suffix = ".PNG" }]
  }

  assert {
    condition = (
      jsonencode([for one in output.lambda_notification : one.events]) == jsonencode([["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"], ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"]])
      && jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern)["detail-type"] == ["Object Created", "Object Restore Completed"]
    )
    error_message = "By default neither trigger may report deletions."
  }

  assert {
    condition = (
      [for one in jsondecode(aws_iam_policy.this[0].policy).Statement : one.Sid] == ["ReadSourceImages", "TellMissingFromDenied", "WriteResizedImages", "ReportFailures", "WriteLog"]
      && !contains(keys(aws_lambda_function.this.environment[0].variables), "MIRROR_DELETES")
    )
    error_message = "By default the role may delete nothing, and the function must not try."
  }
}

run "by_s3" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    mirror_deletes = true
  }

  assert {
    condition = jsonencode(output.lambda_notification) == jsonencode([{
      id                  = "Lambda-image-0"
      lambda_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
      events              = ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
      filter_prefix       = null
      filter_suffix       = null
    }])
    error_message = "S3 must also report deletions by requests and by lifecycle rules."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.MIRROR_DELETES == "true"
    error_message = "The function must receive MIRROR_DELETES."
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, length(jsondecode(aws_iam_policy.this[0].policy).Statement)) == [
      {
        Sid      = "RemoveImagesOfDeletedSources"
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = "arn:aws:s3:::dest-bucket-image-out/*"
      },
      {
        Sid      = "TellWhatImagesAreMadeOf"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "arn:aws:s3:::dest-bucket-image-out/*"
      },
    ]
    error_message = "The role may delete and read outputs, but delete neither versions nor uploads."
  }
}

run "by_eventbridge" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger        = "eventbridge"
    mirror_deletes = true
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern) == {
      source        = ["aws.s3"]
      "detail-type" = ["Object Created", "Object Restore Completed", "Object Deleted"]
      detail        = { bucket = { name = ["src-bucket-image-in"] } }
    }
    error_message = "The rule must match every new, restored or deleted object of the bucket."
  }

  assert {
    condition     = length(output.lambda_notification) == 0
    error_message = "With EventBridge as the only trigger, S3 must report nothing."
  }
}

run "by_both_in_one_bucket_with_two_folders" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    trigger            = "both"
    mirror_deletes     = true
    source_bucket      = { name = "one", prefix = "uploads/" }
    destination_bucket = { name = "one", prefix = "resized/" }
    filters            = [{ prefix = "a/" }, { prefix = "b/", suffix = ".PNG" }]
  }

  assert {
    condition = jsonencode([for one in output.lambda_notification : [one.id, one.events, one.filter_prefix, one.filter_suffix]]) == jsonencode([
      ["Lambda-image-0", ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"], "uploads/a/", null],
      ["Lambda-image-1", ["s3:ObjectCreated:*", "s3:ObjectRestore:Completed", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"], "uploads/b/", ".PNG"],
    ])
    error_message = "The filters must also apply to deletions."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern) == {
      source        = ["aws.s3"]
      "detail-type" = ["Object Created", "Object Restore Completed", "Object Deleted"]
      detail        = { bucket = { name = ["one"] }, object = { key = [{ prefix = "uploads/a/" }, { wildcard = "uploads/b/*.PNG" }] } }
    }
    error_message = "The rule's filters must also apply to deletions."
  }

  assert {
    condition = [for one in slice(jsondecode(aws_iam_policy.this[0].policy).Statement, 5, 7) : [one.Action, one.Resource]] == [
      ["s3:DeleteObject", "arn:aws:s3:::one/resized/*"],
      ["s3:GetObject", "arn:aws:s3:::one/resized/*"],
    ]
    error_message = "With one bucket, the role may delete only under the destination's prefix."
  }
}
