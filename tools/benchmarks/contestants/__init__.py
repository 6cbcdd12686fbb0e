"""The contestants. Each module's ``prepare`` does the unmeasured part and returns the work to measure."""
