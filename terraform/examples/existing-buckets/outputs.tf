# Where to upload and where to look.

output "pipeline" {
  description = "All that the module tells of itself."
  value       = module.image_resize
}

output "deletions_queue_url" {
  description = "URL of the queue that was told of deletions before, and still is."
  value       = aws_sqs_queue.deletions.url
}
