# Versions that this module was run with; 5.100 is the floor for python3.13 and JSON logging.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}
