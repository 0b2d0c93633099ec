"""/containers: created, listed, shown, changed, deleted."""

from datetime import UTC, datetime

from aiohttp import web

from container_manager.api.answers import JSON_TYPE, json_response
from container_manager.api.context import Services, note, services_of
from container_manager.api.lifecycle import CHANGE_ERRORS, ENGINE_ERRORS, START_ERRORS
from container_manager.api.pages import decode_cursor, encode_cursor
from container_manager.api.route import Media, Route
from container_manager.api.schemas.container_views import ContainerView, DeletedView, ListView, StatusView, UpdatedView
from container_manager.api.schemas.containers import (
    CreateContainer,
    DeleteQuery,
    ListQuery,
    UpdateContainer,
    UpdatePorts,
)
from container_manager.api.schemas.fields import split_command
from container_manager.api.views import container_view, status_of, status_view
from container_manager.errors import (
    BootMissing,
    ContainerNotFound,
    ContainerRunning,
    ImageNotFound,
    IoError,
    NameInUse,
    NoSpace,
    PortInUse,
)
from container_manager.models import ContainerSpec, Cuid, new_cuid
from container_manager.services.configuration import Changes

STATES_AGE = "X-States-Age"
AGE_HEADER = {STATES_AGE: "Seconds since the states were known to be true; only while the engine is out of sight"}


async def create(request: web.Request, *, body: CreateContainer) -> web.Response:
    """Create, and start when asked to."""
    services = services_of(request)
    cuid = new_cuid()
    note(request, cuid=cuid, image=body.image)
    spec = ContainerSpec(
        cuid=cuid,
        created_at=datetime.now(UTC),
        image=body.image,
        name=body.name,
        env=body.env,
        tags=tuple(body.tags),
        resources=body.resources.limits(),
        ports=tuple(port.mapping() for port in body.ports),
        command=None if body.command is None else split_command(body.command),
        user=body.user,
        restart=body.restart,
        ttl=body.ttl,
        idle_timeout=body.idle_timeout,
    )
    await services.lifecycle.create(spec, start=body.start)
    return json_response(_container(request, cuid), status=201, headers={"Location": f"/containers/{cuid}"})


async def list_containers(request: web.Request, *, query: ListQuery) -> web.Response:
    """One page of the list."""
    services = services_of(request)
    version = services.registry.version, services.engine.states.version
    key = query.limit, query.cursor, query.status, query.tag
    body = services.views.page(key, version, lambda: _page(services, query))
    return _aged(services, web.Response(body=body, content_type=JSON_TYPE, charset="utf-8"))


def _page(services: Services, query: ListQuery) -> dict[str, object]:
    states, views = services.engine.states.all, services.views
    wanted, tag = set(query.status), query.tag
    page: list[ContainerSpec] = []
    more = False
    for spec in services.registry.after(decode_cursor(query.cursor) if query.cursor else None):
        if wanted and status_of(states.get(spec.cuid)) not in wanted:
            continue
        if tag is not None and tag not in spec.tags:
            continue
        if len(page) == query.limit:
            more = True
            break
        page.append(spec)
    rows = [views.fragment(spec, states.get(spec.cuid)) for spec in page]
    cursor = encode_cursor(page[-1].created_at, page[-1].cuid) if more else None
    return {"containers": rows, "next_cursor": cursor}


async def show(request: web.Request, *, cuid: Cuid) -> web.Response:
    """Configuration and state."""
    return _aged(services_of(request), json_response(_container(request, cuid)))


async def status(request: web.Request, *, cuid: Cuid) -> web.Response:
    """The state alone."""
    services = services_of(request)
    view = status_view(services.registry.get(cuid), services.engine.states.get(cuid))
    return _aged(services, json_response(view))


def _aged(services: Services, response: web.Response) -> web.Response:
    """`response`, with the age of the states that it tells unless they are followed live."""
    if age := services.engine.states.age:
        response.headers[STATES_AGE] = f"{age:.3f}"
    return response


async def update(request: web.Request, *, cuid: Cuid, body: UpdateContainer) -> web.Response:
    """Change what the body names."""
    return await _update(
        request,
        cuid,
        Changes(
            image=body.image,
            env=body.env,
            tags=None if body.tags is None else tuple(body.tags),
            resources=None if body.resources is None else body.resources.limits(),
            ports=None if body.ports is None else tuple(port.mapping() for port in body.ports),
            ttl=body.ttl,
            idle_timeout=body.idle_timeout,
        ),
        sorted(body.model_fields_set),
    )


async def update_ports(request: web.Request, *, cuid: Cuid, body: UpdatePorts) -> web.Response:
    """Replace the ports."""
    return await _update(request, cuid, Changes(ports=tuple(port.mapping() for port in body.ports)), ["ports"])


async def _update(request: web.Request, cuid: Cuid, changes: Changes, fields: list[str]) -> web.Response:
    applied = await services_of(request).configuration.update(cuid, changes)
    note(request, applied=applied, fields=fields)
    view = {**_container(request, cuid), "applied": applied}
    return json_response(view)


async def delete(request: web.Request, *, cuid: Cuid, query: DeleteQuery) -> DeletedView:
    """Delete."""
    note(request, force=query.force, keep_files=query.keep_files)
    await services_of(request).lifecycle.delete(cuid, force=query.force, keep_files=query.keep_files)
    return DeletedView(cuid=cuid)


async def compose_file(request: web.Request, *, cuid: Cuid) -> web.Response:
    """The YAML as it stands on the disk."""
    text = await services_of(request).registry.read(cuid)
    return web.Response(body=text, content_type="application/yaml", charset="utf-8")


def _container(request: web.Request, cuid: Cuid) -> dict[str, object]:
    services = services_of(request)
    return container_view(services.registry.get(cuid), services.engine.states.get(cuid))


CONTAINER_ROUTES = [
    Route(
        "POST",
        "/containers",
        create,
        "container.create",
        "Create a container",
        body=CreateContainer,
        returns=ContainerView,
        status=201,
        errors=(NameInUse, BootMissing, ImageNotFound, PortInUse, IoError, NoSpace, *ENGINE_ERRORS),
        headers={"Location": "Path of the new container"},
    ),
    Route(
        "GET",
        "/containers",
        list_containers,
        "container.list",
        "List containers, oldest first",
        query=ListQuery,
        returns=ListView,
        headers=AGE_HEADER,
    ),
    Route(
        "GET",
        "/containers/{cuid}",
        show,
        "container.show",
        "A container",
        returns=ContainerView,
        headers=AGE_HEADER,
        errors=(ContainerNotFound,),
    ),
    Route(
        "GET",
        "/containers/{cuid}/status",
        status,
        "container.status",
        "Its state",
        returns=StatusView,
        headers=AGE_HEADER,
        errors=(ContainerNotFound,),
    ),
    Route(
        "GET",
        "/containers/{cuid}/compose",
        compose_file,
        "container.compose",
        "Its Compose file",
        returns=Media("application/yaml", "The file as it stands on the disk"),
        errors=(ContainerNotFound,),
    ),
    Route(
        "PATCH",
        "/containers/{cuid}",
        update,
        "container.update",
        "Change its configuration",
        body=UpdateContainer,
        returns=UpdatedView,
        errors=START_ERRORS,
    ),
    Route(
        "PATCH",
        "/containers/{cuid}/ports",
        update_ports,
        "container.ports",
        "Replace its published ports",
        body=UpdatePorts,
        returns=UpdatedView,
        errors=START_ERRORS,
    ),
    Route(
        "DELETE",
        "/containers/{cuid}",
        delete,
        "container.delete",
        "Delete it, its file and its mount",
        query=DeleteQuery,
        returns=DeletedView,
        errors=(*CHANGE_ERRORS, ContainerRunning, IoError),
    ),
]
