"""What `doctor` looks at. A check never raises for what it was made to find."""

from collections.abc import AsyncIterator

from container_manager.cli.checks import engine, machine, server
from container_manager.cli.checks.finding import Finding, Level
from container_manager.engine.process import clean_environment

__all__ = ["Finding", "Level", "findings"]


async def findings() -> AsyncIterator[Finding]:
    """Everything there is to look at, in the order in which one thing needs the other."""
    yield machine.python()
    settings, finding = machine.load_settings()
    yield finding
    environment = clean_environment(settings.docker_host)
    yield engine.command(environment)
    info = await engine.ask(environment)
    yield engine.answers(info)
    yield await engine.compose_version(environment)
    if isinstance(info, dict):
        yield engine.limits(info)
        yield await engine.networking(info, environment, settings.network)
        yield await engine.base_image(environment)
    yield machine.folders(settings)
    yield machine.disk(settings)
    yield machine.confinement()
    yield machine.descriptors()
    yield await server.port(settings)
