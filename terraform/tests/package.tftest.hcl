# Where the built function comes from.

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
    error_message = "What is in S3 must be deployed as it is described."
  }
}

run "from_a_file" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = { path = "./tests/package/function.zip" }
  }

  assert {
    condition     = aws_lambda_function.this.filename == "./tests/package/function.zip" && aws_lambda_function.this.s3_bucket == null
    error_message = "A file must be uploaded from where it is."
  }
}

run "nothing" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = {}
  }
}

run "both" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { path = "./tests/package/function.zip", s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", runtime = "python3.13", architecture = "arm64" }
  }
}

run "no_zip" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { path = "./tests/package/function.json" }
  }
}

run "no_hash" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, runtime = "python3.13", architecture = "arm64" }
  }
}

run "no_runtime" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", architecture = "arm64" }
  }
}

run "no_architecture" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", runtime = "python3.13" }
  }
}

run "a_file_with_a_runtime" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { path = "./tests/package/function.zip", runtime = "python3.13" }
  }
}

run "a_hash_in_hexadecimal" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "ee33daf6e517380d7fcd57648354b7dd70939d3020f3963b116c3fb08a4c9440", runtime = "python3.13", architecture = "arm64" }
  }
}

run "an_old_runtime" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", runtime = "python3.11", architecture = "arm64" }
  }
}

run "another_architecture" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = { s3 = { bucket = "artifacts", key = "function.zip" }, sha256 = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA=", runtime = "python3.13", architecture = "aarch64" }
  }
}

run "another_architecture_than_the_key_names" {
  command         = plan
  expect_failures = [var.package]

  module {
    source = "./modules/function"
  }

  variables {
    package = {
      s3           = { bucket = "artifacts", key = "a/image-resize-python3.13-x86_64-ee33daf6e517380d7fcd57648354b7dd70939d3020f3963b116c3fb08a4c9440.zip" }
      sha256       = "7jPa9uUXOA1/zVdkg1S33XCTnTAg85Y7EWw/sIpMlEA="
      runtime      = "python3.13"
      architecture = "arm64"
    }
  }
}

run "no_built_function" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package = { path = "./no-such/function.zip" }
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
    error_message = "Lambda would refuse what is let pass."
  }
}

run "renditions_that_leave_no_room_for_another_setting" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package    = { path = "./tests/package/function.zip" }
    renditions = { for i in range(34) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }
    max_pixels = 1000000
  }
}

run "more_renditions_than_the_environment_holds" {
  command         = plan
  expect_failures = [aws_lambda_function.this]

  module {
    source = "./modules/function"
  }

  variables {
    package    = { path = "./tests/package/function.zip" }
    renditions = { for i in range(35) : "r${i}x" => { width = 100, key = "{dir}${i}x-{rendition}-{name}" } }
  }
}
