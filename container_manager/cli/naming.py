"""Which container a person means: its cuid, the beginning of it, or its name."""

from container_manager.cli import exits
from container_manager.client import Client
from container_manager.models import parse_cuid

SHORT = 9
"""Characters of a cuid that tables show: enough to tell a few thousand containers apart."""


async def find(client: Client, text: str) -> str:
    """The cuid of the one container that `text` names. A name goes before the beginning of a cuid."""
    if parse_cuid(text):
        return text
    beginning: list[str] = []
    async for container in client.containers():
        if container["name"] == text:
            return str(container["cuid"])
        if text and container["cuid"].startswith(text):
            beginning.append(container["cuid"])
    if not beginning:
        raise exits.Stop(
            f"No container has the name or cuid {text!r}. 'container-manager ls' shows those there are", exits.NOT_FOUND
        )
    if len(beginning) > 1:
        some = ", ".join(beginning[:3]) + (" …" if len(beginning) > 3 else "")
        raise exits.Stop(f"{text!r} begins {len(beginning)} cuids ({some}). Type more of it", exits.WRONG_USE)
    return beginning[0]
