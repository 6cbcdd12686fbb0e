"""The error that a task prints as one line."""


class ToolError(Exception):
    """An error that the user can fix; its message is one line and says how."""
