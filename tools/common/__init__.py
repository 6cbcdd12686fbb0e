"""What several tools share: paths, errors, Terraform, AWS clients, prices and tables."""
