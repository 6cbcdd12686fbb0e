"""Image bytes in, image bytes out: nothing in here knows of AWS."""
