"""The pipeline on this machine's own AWS: brought up, tried, shown and taken down."""
