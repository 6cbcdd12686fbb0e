# The sources of the built function, and the size of its environment.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  source_bucket      = { name = "src-bucket-image-in" }
  destination_bucket = { name = "dest-bucket-image-out" }
}

run "from_s3" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = {
      s3           = { bucket = "artifacts", key = "function.zip", version = "1" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.12"
      architecture = "x86_64"
    }
  }

  assert {
    condition = (
      aws_lambda_function.this.filename == null
      && aws_lambda_function.this.s3_bucket == "artifacts"
      && aws_lambda_function.this.s3_key == "function.zip"
      && aws_lambda_function.this.s3_object_version == "1"
      && aws_lambda_function.this.source_code_hash == "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      && aws_lambda_function.this.runtime == "python3.12"
      && aws_lambda_function.this.architectures == tolist(["x86_64"])
      && aws_lambda_function.this.handler == "lambda_function.lambda_handler"
    )
    error_message = "The function must use the zip in S3 as package describes it."
  }
}

run "as_many_renditions_as_the_environment_holds" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package    = { path = "./tests/package/function.zip" }
    renditions = { for i in range(34) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }
  }

  assert {
    condition     = length(jsonencode(aws_lambda_function.this.environment[0].variables)) <= 4096
    error_message = "The largest accepted environment must fit into Lambda's limit."
  }
}
