"""Drawn pictures, and metrics of similarity."""
