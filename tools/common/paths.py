"""Where things are in this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTION = ROOT / "function"
EVENTS = ROOT / "events"
TERRAFORM = ROOT / "terraform"
REQUIREMENTS = ROOT / "tools" / "requirements"
"""Lock files by purpose: a task needs one of them."""
DIST = ROOT / "dist"
"""The package that is deployed to AWS."""
LOCAL = ROOT / ".local"
"""Everything that belongs to the local AWS; safe to delete while it is down."""
