"""Tests that share one deployment, with other settings than the default: a package, for that is a scope of fixtures."""
