"""What can go wrong for a caller of the API."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of both. `message` is one line for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unreachable(ClientError):
    """No answer: nobody listens there, the connection broke, or it took too long."""


class Refused(ClientError):
    """The server's error answer, field by field."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("message") or f"The server answered {status}"))
        self.status = status
        self.error = str(body.get("error") or "")
        """The family, for example "not_found"."""
        self.code = str(body.get("code") or "")
        """The exact case, for example "CONTAINER_NOT_FOUND"."""
        self.details: Mapping[str, Any] = body.get("details") or {}
        self.request_id: str | None = body.get("request_id")
        """The same id stands in the server's logs/actions.jsonl."""
