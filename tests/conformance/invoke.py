"""Handle the event on standard input with the Python adapter that the argument names, in a process of its own."""

import importlib
import json
import sys

if __name__ == "__main__":
    importlib.import_module(sys.argv[1]).handle(json.load(sys.stdin))
