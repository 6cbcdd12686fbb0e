"""Turns the bytes of an image into the bytes of its outputs. Nothing in this package knows of AWS."""
