"""A page that shows a team's own photos with the settings that Terraform would deploy, and compares variants."""
