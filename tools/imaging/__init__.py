"""Pictures for the demo, the benchmark and the preview: drawn, enlarged, scaled and compared."""
