"""Exit codes, and the one exception that ends a command with a line for the person who typed it."""

DONE = 0
FAILED = 1
"""The server, or something here, could not do it."""
WRONG_USE = 2
"""The command line or a setting is wrong; nothing was tried."""
NOT_FOUND = 3
"""No such container, file or image."""
NOT_NOW = 4
"""The container's state, or something that is taken, does not allow it."""
UNREACHABLE = 5
"""No answer: the server or the engine is away, or took too long."""
REFUSED = 6
"""Wrong credentials, or a thing that these credentials may not do."""
CANNOT_RUN = 125
"""`exec` and `shell` could not run the command; otherwise they exit as the command did."""
INTERRUPTED = 130
"""Ctrl+C."""


class Stop(Exception):
    """Ends the command: `message` goes to stderr as one line, `code` is the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
