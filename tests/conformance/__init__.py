"""A conformance set for image resizers: README.md."""

import sys

from tools.common.paths import FUNCTION

# Sources and adapters import the function's modules, and pytest is not always there to find them.
sys.path.insert(0, str(FUNCTION))
