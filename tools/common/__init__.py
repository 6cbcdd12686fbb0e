"""Shared by several folders of tools: errors, paths, AWS clients, Terraform, tables and prices."""
