# A validation may refer to other variables and locals from Terraform 1.9 and OpenTofu 1.9. The provider's 5.100 is the oldest
# version that was tried; it has python3.13 and JSON logging.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
