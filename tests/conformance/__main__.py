"""Runs the conformance set, or says which packages it lacks."""

import sys

from tools.common.errors import ToolError

try:
    from tests.conformance.command import main
except ModuleNotFoundError as error:
    files = "-r tools/requirements/dev.txt -r tools/requirements/judges.txt"
    print(f"Error: the conformance set needs the package {error.name}: run `pip install {files}`", file=sys.stderr)
    sys.exit(2)

try:
    sys.exit(main(sys.argv[1:]))
except ToolError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(2)
