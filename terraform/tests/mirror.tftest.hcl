# Deletions, which the function is told of and may follow only where that is asked for.

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
    error_message = "By default nobody may tell the function of deletions."
  }

  assert {
    condition = (
      [for one in jsondecode(aws_iam_policy.this.policy).Statement : one.Sid] == ["ReadSourceImages", "TellMissingFromDenied", "WriteResizedImages", "ReportFailures", "WriteLog"]
      && !contains(keys(aws_lambda_function.this.environment[0].variables), "MIRROR_DELETES")
    )
    error_message = "By default the function may remove nothing, and has no reason to try."
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
    error_message = "S3 must tell the function also of what somebody or a lifecycle rule removes."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.MIRROR_DELETES == "true"
    error_message = "The function must know that it is to follow deletions."
  }

  assert {
    condition = slice(jsondecode(aws_iam_policy.this.policy).Statement, 5, length(jsondecode(aws_iam_policy.this.policy).Statement)) == [
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
    error_message = "The function may remove and read outputs, none of their versions, and remove nothing of the source."
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
    error_message = "The rule must be for every object of the bucket that is new, restored or gone."
  }

  assert {
    condition     = length(output.lambda_notification) == 0
    error_message = "Where EventBridge is the trigger, S3 must tell the function of nothing."
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
    error_message = "The filters must hold for deletions, too."
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.uploads[0].event_pattern) == {
      source        = ["aws.s3"]
      "detail-type" = ["Object Created", "Object Restore Completed", "Object Deleted"]
      detail        = { bucket = { name = ["one"] }, object = { key = [{ prefix = "uploads/a/" }, { wildcard = "uploads/b/*.PNG" }] } }
    }
    error_message = "The rule's filters must hold for deletions, too."
  }

  assert {
    condition = [for one in slice(jsondecode(aws_iam_policy.this.policy).Statement, 5, 7) : [one.Action, one.Resource]] == [
      ["s3:DeleteObject", "arn:aws:s3:::one/resized/*"],
      ["s3:GetObject", "arn:aws:s3:::one/resized/*"],
    ]
    error_message = "In one bucket the function may remove what is below the destination's prefix alone: never an upload."
  }
}

run "in_another_partition" {
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
    mirror_deletes = true
  }

  assert {
    condition     = jsondecode(aws_iam_policy.this.policy).Statement[5].Resource == "arn:aws-cn:s3:::dest-bucket-image-out/*"
    error_message = "ARNs must be of the partition that is deployed to."
  }
}

run "the_whole_pipeline" {
  command = plan

  variables {
    source_bucket      = "src-bucket-image-in"
    destination_bucket = "dest-bucket-image-out"
    mirror_deletes     = true
  }

  assert {
    condition     = jsonencode(module.function.lambda_notification[0].events) == jsonencode(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"])
    error_message = "The pipeline must hand on what it is asked for."
  }
}

run "the_whole_pipeline_by_default" {
  command = plan

  variables {
    source_bucket      = "src-bucket-image-in"
    destination_bucket = "dest-bucket-image-out"
  }

  assert {
    condition     = jsonencode(module.function.lambda_notification[0].events) == jsonencode(["s3:ObjectCreated:*", "s3:ObjectRestore:Completed"])
    error_message = "By default the pipeline must follow no deletions."
  }
}
