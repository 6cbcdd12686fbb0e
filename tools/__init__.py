"""Build, local AWS and operator tools behind ``tasks.py``; nothing here is ever in the function's zip."""
