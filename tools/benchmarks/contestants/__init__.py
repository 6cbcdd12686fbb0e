"""The contestants: each module's ``prepare`` does what is not measured and returns the work that is."""
