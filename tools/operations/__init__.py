"""What an operator asks of a deployed pipeline, on AWS or the local one: what failed, what is missing, and mends it."""
