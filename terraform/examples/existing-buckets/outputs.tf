# Bucket names, queue URLs and the function's name.

output "pipeline" {
  description = "All outputs of the module."
  value       = module.image_resize
}

output "deletions_queue_url" {
  description = "URL of the queue that the bucket notified of deletions before, and still notifies."
  value       = aws_sqs_queue.deletions.url
}
