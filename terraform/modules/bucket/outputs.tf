# A consumer of these gets a finished bucket.

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "name" {
  description = "Name of the bucket, once it is private, encrypted and versioned."
  value       = aws_s3_bucket.this.bucket

  # Not the lifecycle rule: nobody needs to wait the minute that the provider takes to see it settle.
  depends_on = [
    aws_s3_bucket_ownership_controls.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
