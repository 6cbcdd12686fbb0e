"""What a team's own photos become with the settings that Terraform would deploy, on one page to choose by."""
