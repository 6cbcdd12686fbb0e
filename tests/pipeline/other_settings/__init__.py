"""Tests that share one deployment with other settings. This folder is a package for the scope of its fixture."""
