"""The function's side towards AWS: events, the source, the destination, the settings and the failure queue."""
