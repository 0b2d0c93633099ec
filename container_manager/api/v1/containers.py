"""/api/v1/containers: the life of a named container."""

from datetime import UTC, datetime

from aiohttp import web

from container_manager.api.context import note, services_of
from container_manager.api.route import Route
from container_manager.api.schemas.fields import split_command
from container_manager.api.schemas.v1 import (
    ContainerLogs,
    CreatedContainer,
    CreateNamed,
    ListedContainers,
    ListedView,
    LogText,
    NamedStep,
    NamedView,
    RemovedContainer,
    RemovedName,
    RemoveQuery,
    StepTaken,
    TailQuery,
)
from container_manager.api.schemas.v1_forms import port_mappings, volumes_of
from container_manager.api.v1.named import ENGINE, PATH, cuid_of
from container_manager.api.views import status_of
from container_manager.errors import (
    BootMissing,
    ComposeFileBroken,
    ContainerRunning,
    ImageNotFound,
    InvalidTransition,
    IoError,
    LimitReached,
    NameInUse,
    NoSpace,
    PortInUse,
    VolumeRefused,
)
from container_manager.models import ContainerSpec, Cuid, EngineState, new_cuid


async def create(request: web.Request, *, body: CreateNamed) -> CreatedContainer:
    """Create and start; when the start fails nothing is left."""
    services = services_of(request)
    cuid = new_cuid()
    note(request, cuid=cuid, image=body.image, name=body.name)
    spec = ContainerSpec(
        cuid=cuid,
        created_at=datetime.now(UTC),
        image=body.image,
        name=body.name,
        env=body.environment,
        ports=port_mappings(body.ports),
        volumes=volumes_of(body.volumes),
        command=None if body.command is None else split_command(body.command),
        user=body.user,
    )
    await services.lifecycle.create(spec, start=True)
    state = services.engine.states.get(cuid)
    return CreatedContainer(container=NamedView(id=_short_id(cuid, state), name=body.name, status=status_of(state)))


async def list_containers(request: web.Request) -> ListedContainers:
    """Running and stopped, those made on /containers with a name among them."""
    services = services_of(request)
    rows = []
    for spec in services.registry.after():
        state = services.engine.states.get(spec.cuid)
        if spec.name is not None:
            row = ListedView(id=_short_id(spec.cuid, state), name=spec.name, status=status_of(state), image=spec.image)
            rows.append(row)
    return ListedContainers(containers=rows)


async def start(request: web.Request, *, name: str) -> StepTaken:
    """Start; nothing happens when it runs already."""
    outcome = await services_of(request).lifecycle.start(cuid_of(request, name))
    note(request, changed=outcome.changed)
    return StepTaken(container=NamedStep(name=name, status="started"))


async def stop(request: web.Request, *, name: str) -> StepTaken:
    """Stop; nothing happens when it does not run."""
    outcome = await services_of(request).lifecycle.stop(cuid_of(request, name))
    note(request, changed=outcome.changed)
    return StepTaken(container=NamedStep(name=name, status="stopped"))


async def remove(request: web.Request, *, name: str, query: RemoveQuery) -> RemovedContainer:
    """Remove it with its files."""
    note(request, force=query.force)
    await services_of(request).lifecycle.delete(cuid_of(request, name), force=query.force)
    return RemovedContainer(container=RemovedName(name=name))


async def logs(request: web.Request, *, name: str, query: TailQuery) -> ContainerLogs:
    """The last lines of what it printed."""
    chunks = services_of(request).commands.logs(cuid_of(request, name), tail=query.tail)
    text = b"".join([chunk async for chunk in chunks])
    return ContainerLogs(container=LogText(logs=text.decode(errors="replace")))


def _short_id(cuid: Cuid, state: EngineState | None) -> str:
    """As `docker ps` shows it; from the cuid where the engine has no container yet."""
    return state.container_id[:12] if state else cuid.replace("-", "")[1:13]


_CHANGE = (ComposeFileBroken, LimitReached, *ENGINE)
_START = (BootMissing, ImageNotFound, PortInUse, *_CHANGE)

ROUTES = [
    Route(
        "POST",
        "/api/v1/containers",
        create,
        "container.create",
        "Create and start a container",
        body=CreateNamed,
        returns=CreatedContainer,
        errors=(NameInUse, VolumeRefused, IoError, NoSpace, *_START),
        surface="v1",
    ),
    Route(
        "GET",
        "/api/v1/containers",
        list_containers,
        "container.list",
        "List the containers that have a name",
        returns=ListedContainers,
        surface="v1",
    ),
    Route(
        "POST",
        f"{PATH}/start",
        start,
        "container.start",
        "Start a container",
        returns=StepTaken,
        errors=(InvalidTransition, *_START),
        surface="v1",
    ),
    Route(
        "POST",
        f"{PATH}/stop",
        stop,
        "container.stop",
        "Stop a container",
        returns=StepTaken,
        errors=_CHANGE,
        surface="v1",
    ),
    Route(
        "DELETE",
        PATH,
        remove,
        "container.delete",
        "Remove a container",
        query=RemoveQuery,
        returns=RemovedContainer,
        errors=(ContainerRunning, IoError, *_CHANGE),
        surface="v1",
    ),
    Route(
        "GET",
        f"{PATH}/logs",
        logs,
        "container.logs",
        "What a container printed",
        query=TailQuery,
        returns=ContainerLogs,
        errors=ENGINE,
        surface="v1",
    ),
]
