"""The composition root: builds every part once and ties its life to the application's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import web

from container_manager.api.application import application
from container_manager.api.context import SERVICES, Services
from container_manager.api.events import end_streams
from container_manager.api.metrics import Metrics
from container_manager.api.mutation import Mutations
from container_manager.api.routes import ROUTES
from container_manager.api.state_metrics import StateMetrics
from container_manager.api.terminals import hang_up
from container_manager.api.views import Views
from container_manager.api.web import ASSETS, load_assets
from container_manager.audit import Audit
from container_manager.engine.engine import Engine
from container_manager.engine.turns import arrive
from container_manager.models import Cuid
from container_manager.services.accounts import Accounts
from container_manager.services.boot import Boot
from container_manager.services.commands import Commands
from container_manager.services.configuration import Configuration
from container_manager.services.events import Events
from container_manager.services.files import Files
from container_manager.services.guest_files import GuestFiles
from container_manager.services.images import Images
from container_manager.services.lifecycle import Lifecycle
from container_manager.services.lifetimes import Lifetimes
from container_manager.services.terminals import Terminals
from container_manager.services.usage import Usage
from container_manager.services.volumes import Volumes
from container_manager.services.wheels import Wheels
from container_manager.settings import Settings
from container_manager.store.data_dir import DataDir
from container_manager.store.launcher import copy_launcher
from container_manager.store.locks import Locks
from container_manager.store.mounts import Mounts
from container_manager.store.registry import Registry


def build(settings: Settings) -> web.Application:
    """The whole server, not yet listening. Its start claims DATA_DIR (SettingsError) and reads what is there."""
    data_dir = DataDir(settings.data_dir)
    layout = data_dir.layout
    engine = Engine(settings)
    registry = Registry(layout, settings)
    locks = Locks()
    mounts = Mounts(layout, settings.default_user_uid)
    audit = Audit(layout)
    images = Images(engine, settings.request_timeout)
    wheels = Wheels(settings, layout, engine, mounts)
    boot = Boot(settings, layout, wheels)
    lifecycle = Lifecycle(settings, engine, registry, locks, mounts, images, Volumes(settings, registry), boot)
    commands = Commands(settings, engine, registry)
    terminals = Terminals(settings, layout, engine, registry, audit)
    lifetimes = Lifetimes(engine, registry, lifecycle, audit, terminals)
    services = Services(
        settings=settings,
        layout=layout,
        engine=engine,
        registry=registry,
        mounts=mounts,
        lifecycle=lifecycle,
        images=images,
        configuration=Configuration(settings, engine, registry, locks, lifecycle, images),
        commands=commands,
        accounts=Accounts(commands, locks),
        guest_files=GuestFiles(commands),
        files=Files(settings, layout, mounts, registry, locks),
        terminals=terminals,
        lifetimes=lifetimes,
        used=lifetimes.used,
        arrived=arrive,
        redeem_ticket=terminals.tickets.redeem,
        events=Events(engine.states),
        usage=Usage(engine, commands),
        audit=audit,
        metrics=Metrics(),
        mutations=Mutations(),
        views=Views(),
    )
    app = application(services, ROUTES)
    app[ASSETS] = load_assets()
    app.on_shutdown.insert(0, hang_up)
    app.on_shutdown.insert(0, end_streams)
    app.cleanup_ctx.append(_claimed(data_dir))
    app.cleanup_ctx.append(_filled(wheels))
    app.cleanup_ctx.append(_running)
    return app


def _claimed(data_dir: DataDir) -> Any:
    async def claimed(app: web.Application) -> AsyncIterator[None]:
        await asyncio.to_thread(data_dir.claim)
        await asyncio.to_thread(copy_launcher, data_dir.layout)
        yield
        data_dir.release()

    return claimed


def _filled(wheels: Wheels) -> Any:
    async def filled(app: web.Application) -> AsyncIterator[None]:
        await wheels.start()
        yield
        await wheels.close()

    return filled


async def _running(app: web.Application) -> AsyncIterator[None]:
    """Start every part in the order in which they need each other; end them the other way round."""
    services = app[SERVICES]
    async with contextlib.AsyncExitStack() as stack:

        async def started(part: Any) -> None:
            await part.start()
            stack.push_async_callback(part.close)

        await started(services.audit)
        condemned = await services.registry.load()
        known = [spec.cuid for spec in services.registry.after()]
        await asyncio.to_thread(services.mounts.sweep, known)
        await started(services.engine)
        stack.push_async_callback(services.images.close)
        services.metrics.registry.register(StateMetrics(services))
        services.engine.observer = services.metrics.operated
        services.images.on_progress(services.events.pulling)
        services.registry.on_change(lambda cuid: _told(services, cuid))
        await started(services.events)
        await started(services.files)
        await started(services.terminals)
        async with (
            _in_background(services.registry.follow(), "registry-follower"),
            _in_background(services.lifetimes.follow(), "lifetimes"),
            _in_background(services.lifecycle.follow_up(condemned), "follow-up"),
        ):
            yield


def _told(services: Services, cuid: Cuid) -> None:
    """A container's configuration came, changed or went."""
    if cuid in services.registry:
        services.events.publish("updated", cuid)
    else:
        services.views.forget(cuid)
        services.events.publish("deleted", cuid)


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
