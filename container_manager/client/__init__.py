"""A Python client of the API: `from container_manager.client import Client`. See docs/python-client.md."""

from container_manager.client.client import Client, Ran
from container_manager.client.errors import ClientError, Refused, Unreachable
from container_manager.client.files import Files
from container_manager.client.resuming import Progress
from container_manager.client.terminal import Event, Exit, Output, Problem, Terminal
from container_manager.settings import Address

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
