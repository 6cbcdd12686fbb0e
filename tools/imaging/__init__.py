"""Images for the demo, the benchmark and the preview, and metrics to compare them."""
