"""docs/before-and-after.png: what the usual handler and this function make of the same uploads, side by side."""

from tools.dev.before_and_after.sheet import DOCUMENT, drawn, renew

__all__ = ["DOCUMENT", "drawn", "renew"]
