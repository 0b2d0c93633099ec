"""Recreations that were cut off. Compose makes the new container beside the old one, under a name of its own
("<id>_<name>"), removes the old one, and gives the new one its name: a kill on that way leaves two, or a wrong name.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from container_manager.engine.docker import Docker
from container_manager.models import LABEL, Cuid, parse_cuid

_REPLACES = "com.docker.compose.replace"
"""Compose's label on a container that was made to replace another."""
_ASIDE = re.compile(r"[0-9a-f]{12}_(c[0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class _Found:
    container_id: str
    name: str
    cuid: Cuid
    waits: bool
    """It was made to replace another, and has never run."""


async def mend(docker: Docker, known: Collection[Cuid]) -> list[Cuid]:
    """Leave one container, of the right name, of each of `known`. Those that still are to be started are returned."""
    found = [one for one in await _list(docker) if one.cuid in known]
    named = {one.cuid for one in found if one.name == one.cuid}
    unfinished = {one.cuid for one in found if one.waits}
    for one in found:
        if not _ASIDE.fullmatch(one.name):
            continue
        unfinished.add(one.cuid)
        if one.cuid in named:
            await docker.ask("rm", "--force", one.container_id)
        else:
            await docker.ask("rename", one.container_id, one.cuid)
            named.add(one.cuid)
    return sorted(unfinished)


async def _list(docker: Docker) -> list[_Found]:
    form = '{{.ID}}\t{{.State}}\t{{.Label "%s"}}\t{{.Label "%s"}}\t{{.Names}}' % (LABEL, _REPLACES)  # noqa: UP031
    found = []
    for line in (await docker.ask("ps", "--all", "--no-trunc", "--format", form)).splitlines():
        container_id, state, label, replaces, name = line.split("\t")
        if cuid := parse_cuid(label):
            found.append(_Found(container_id, name, cuid, bool(replaces) and state == "created"))
    return found
