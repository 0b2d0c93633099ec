"""A Python client of the API: `from container_manager.client import Client`. See docs/python-client.md."""

from ..settings import Address
from .client import Client, Ran
from .errors import ClientError, Refused, Unreachable
from .files import Files, Progress
from .terminal import Event, Exit, Output, Problem, Terminal

__all__ = [
    "Address",
    "Client",
    "ClientError",
    "Event",
    "Exit",
    "Files",
    "Output",
    "Problem",
    "Progress",
    "Ran",
    "Refused",
    "Terminal",
    "Unreachable",
]
