# The consumer: a function that a rule of the bus calls with each event.

resource "aws_cloudwatch_event_rule" "settled" {
  name           = "resize-completion"
  description    = "Sends each completion event to the consumer."
  event_bus_name = aws_cloudwatch_event_bus.images.name
  event_pattern  = jsonencode({ source = ["image-resize"] })
}

resource "aws_cloudwatch_event_target" "consumer" {
  rule           = aws_cloudwatch_event_rule.settled.name
  event_bus_name = aws_cloudwatch_event_bus.images.name
  arn            = aws_lambda_function.consumer.arn
}

resource "aws_lambda_permission" "settled" {
  statement_id  = "EventBridgeMayInvoke"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.consumer.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.settled.arn
}

resource "aws_lambda_function" "consumer" {
  # checkov:skip=CKV_AWS_50:Each traced invocation costs money.
  # checkov:skip=CKV_AWS_115:It is called once for each upload.
  # checkov:skip=CKV_AWS_116:An example: give a consumer of yours a failure destination.
  # checkov:skip=CKV_AWS_117:It calls only DynamoDB.
  # checkov:skip=CKV_AWS_173:The only variable is the table's name.
  # checkov:skip=CKV_AWS_272:An example needs no signing profile.
  function_name    = "resize-completion-consumer"
  description      = "Keeps the latest state of each upload in a table."
  filename         = "${path.module}/../../../dist/consumer.zip"
  source_code_hash = try(filebase64sha256("${path.module}/../../../dist/consumer.zip"), null)
  role             = aws_iam_role.consumer.arn
  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "consumer.handler"

  environment {
    variables = { TABLE = aws_dynamodb_table.images.name }
  }
}

resource "aws_cloudwatch_log_group" "consumer" {
  # checkov:skip=CKV_AWS_158:It holds keys of uploads, no images.
  # checkov:skip=CKV_AWS_338:A month is enough for an example.
  name              = "/aws/lambda/resize-completion-consumer"
  retention_in_days = 30
}

resource "aws_iam_role" "consumer" {
  name = "resize-completion-consumer"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaAssumesThis"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "consumer" {
  name = "resize-completion-consumer"
  role = aws_iam_role.consumer.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteItems"
        Effect   = "Allow"
        Action   = "dynamodb:PutItem"
        Resource = aws_dynamodb_table.images.arn
      },
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.consumer.arn}:*"
      },
    ]
  })
}
