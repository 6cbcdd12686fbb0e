"""A conformance set for image resizers: README.md."""

import sys

from tools.common.paths import FUNCTION

# Sources and adapters import the function's modules. pytest finds these by itself, `python3 -m` doesn't.
sys.path.insert(0, str(FUNCTION))
