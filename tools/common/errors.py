"""The one error that a task shows its user as a single line."""


class ToolError(Exception):
    """Something that the user can mend; its message is one line and says how."""
