# Attributes that AWS would return: a plan needs the ARNs that policies name. Two resources of a type never have one ARN, so that
# tests notice if the module confuses them.

mock_resource "aws_s3_bucket" {
  override_during = plan
  defaults = {
    arn                         = "arn:aws:s3:::a-bucket"
    bucket_regional_domain_name = "a-bucket.s3.eu-west-2.amazonaws.com"
  }
}

mock_resource "aws_sqs_queue" {
  override_during = plan
  defaults = {
    arn = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-failures"
    url = "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-failures"
  }
}

mock_resource "aws_cloudwatch_log_group" {
  override_during = plan
  defaults = {
    arn = "arn:aws:logs:eu-west-2:123456789012:log-group:/aws/lambda/Lambda-image"
  }
}

mock_resource "aws_iam_role" {
  override_during = plan
  defaults = {
    arn = "arn:aws:iam::123456789012:role/Lambda-image-role"
  }
}

mock_resource "aws_iam_policy" {
  override_during = plan
  defaults = {
    arn = "arn:aws:iam::123456789012:policy/Lambda-image-policy"
  }
}

mock_resource "aws_lambda_function" {
  override_during = plan
  defaults = {
    arn = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image"
  }
}

mock_resource "aws_lambda_alias" {
  override_during = plan
  defaults = {
    arn = "arn:aws:lambda:eu-west-2:123456789012:function:Lambda-image:live"
  }
}

mock_resource "aws_cloudwatch_event_rule" {
  override_during = plan
  defaults = {
    arn = "arn:aws:events:eu-west-2:123456789012:rule/Lambda-image"
  }
}

mock_resource "aws_cloudwatch_metric_alarm" {
  override_during = plan
  defaults = {
    arn = "arn:aws:cloudwatch:eu-west-2:123456789012:alarm:Lambda-image"
  }
}

# The second resource of each type, in a run of modules/function or modules/monitoring and in one of the root module.

override_resource {
  target          = module.destination_bucket.aws_s3_bucket.this
  override_during = plan
  values = {
    arn                         = "arn:aws:s3:::b-bucket"
    bucket_regional_domain_name = "b-bucket.s3.eu-west-2.amazonaws.com"
  }
}

override_resource {
  target          = aws_sqs_queue.undelivered
  override_during = plan
  values = {
    arn = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
    url = "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered"
  }
}

override_resource {
  target          = module.function.aws_sqs_queue.undelivered
  override_during = plan
  values = {
    arn = "arn:aws:sqs:eu-west-2:123456789012:Lambda-image-undelivered"
    url = "https://sqs.eu-west-2.amazonaws.com/123456789012/Lambda-image-undelivered"
  }
}

override_resource {
  target          = aws_iam_role.jobs
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:role/Lambda-image-jobs"
  }
}

override_resource {
  target          = module.function.aws_iam_role.jobs
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:role/Lambda-image-jobs"
  }
}

override_resource {
  target          = aws_iam_policy.jobs
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:policy/Lambda-image-jobs"
  }
}

override_resource {
  target          = module.function.aws_iam_policy.jobs
  override_during = plan
  values = {
    arn = "arn:aws:iam::123456789012:policy/Lambda-image-jobs"
  }
}

override_resource {
  target          = aws_cloudwatch_metric_alarm.rejected_rate
  override_during = plan
  values = {
    arn = "arn:aws:cloudwatch:eu-west-2:123456789012:alarm:Lambda-image-rejected-rate"
  }
}

override_resource {
  target          = module.monitoring[0].aws_cloudwatch_metric_alarm.rejected_rate
  override_during = plan
  values = {
    arn = "arn:aws:cloudwatch:eu-west-2:123456789012:alarm:Lambda-image-rejected-rate"
  }
}
