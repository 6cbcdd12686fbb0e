# Attributes that AWS would return: a plan needs the ARNs that policies name.

mock_resource "aws_s3_bucket" {
  override_during = plan
  defaults = {
    arn = "arn:aws:s3:::a-bucket"
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
