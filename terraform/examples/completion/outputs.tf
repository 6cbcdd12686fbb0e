# Bucket names, queue URLs and the function's name.

output "pipeline" {
  description = "All outputs of the module."
  value       = module.image_resize
}
