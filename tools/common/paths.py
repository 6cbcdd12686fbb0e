"""Paths in this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = ROOT / "function"
EVENTS = ROOT / "events"
TERRAFORM = ROOT / "terraform"
REQUIREMENTS = ROOT / "tools" / "requirements"
"""Lock files by purpose: a task needs one of them."""
DIST = ROOT / "dist"
"""The built package for AWS."""
LOCAL = ROOT / ".local"
"""Files of the local AWS and of tasks' results; safe to delete while the local AWS is down."""
