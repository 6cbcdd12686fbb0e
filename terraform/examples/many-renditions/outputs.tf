# Where to upload and where to look.

output "pipeline" {
  description = "All that the module tells of itself."
  value       = module.image_resize
}
