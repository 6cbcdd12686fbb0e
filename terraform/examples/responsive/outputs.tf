# Bucket names, queue URLs, the function's name, and where the images are.

output "pipeline" {
  description = "All outputs of the module."
  value       = module.image_resize
}

output "distribution_arn" {
  description = "ARN of the distribution."
  value       = aws_cloudfront_distribution.images.arn
}

output "images_url" {
  description = "URL of the resized images; add an output's key."
  value       = "https://${aws_cloudfront_distribution.images.domain_name}/"
}
