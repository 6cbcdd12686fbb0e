# Names of a bucket that is ready to use.

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

# Without depends_on: a distribution needs this name, and the policy needs the distribution's ARN.
output "bucket_regional_domain_name" {
  description = "Domain name of the bucket in its region, as an origin of CloudFront."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}

output "name" {
  description = "Name of the bucket. Terraform returns it once the bucket is private, encrypted and versioned."
  value       = aws_s3_bucket.this.bucket

  # Without the lifecycle rule: the provider waits a minute for it, and no consumer needs it.
  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
