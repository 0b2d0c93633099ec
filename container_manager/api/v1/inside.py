"""/api/v1/containers/{name}/…: commands, users and files inside a running container."""

from aiohttp import web

from container_manager.api.context import note, services_of
from container_manager.api.encoding import decoded
from container_manager.api.route import Route
from container_manager.api.schemas.v1 import (
    AddedFile,
    AddedUser,
    AddFile,
    AddUser,
    ExecuteCommand,
    ExecutedCommand,
    Execution,
    NamedUser,
    WrittenFile,
)
from container_manager.api.v1.named import ENGINE, PATH, cuid_of
from container_manager.errors import GuestRefused, NotRunning, UserExists
from container_manager.services.accounts import NewAccount
from container_manager.services.commands import Command, shell_words


async def execute(request: web.Request, *, name: str, body: ExecuteCommand) -> Execution:
    """Run a command line with bash, or sh where there is no bash, to its end."""
    command = Command(shell_words(body.command), user=body.user)
    result = await services_of(request).commands.run(cuid_of(request, name), command)
    note(request, exit_code=result.exit_code)
    *output, encoding = decoded(result.stdout)
    return Execution(
        execution=ExecutedCommand(
            exit_code=result.exit_code,
            output=output[0],
            encoding=None if encoding == "utf8" else encoding,
            success=result.exit_code == 0,
        )
    )


async def add_user(request: web.Request, *, name: str, body: AddUser) -> AddedUser:
    """Make an account with a home, with what the image has for that, or without."""
    cuid = cuid_of(request, name)
    note(request, user=body.username)
    await services_of(request).accounts.add(cuid, NewAccount(body.username, body.password, body.shell))
    return AddedUser(user=NamedUser(username=body.username))


async def add_file(request: web.Request, *, name: str, body: AddFile) -> AddedFile:
    """Write a file, anywhere in the container; the folders above it are made."""
    cuid = cuid_of(request, name)
    content = body.data()
    note(request, path=body.dest_path, bytes=len(content))
    await services_of(request).guest_files.write(cuid, body.dest_path, content)
    return AddedFile(file=WrittenFile(dest_path=body.dest_path, size=len(content)))


_ERRORS = (NotRunning, *ENGINE)

ROUTES = [
    Route(
        "POST",
        f"{PATH}/exec",
        execute,
        "container.exec",
        "Run a command line",
        body=ExecuteCommand,
        returns=Execution,
        errors=_ERRORS,
        surface="v1",
    ),
    Route(
        "POST",
        f"{PATH}/users",
        add_user,
        "container.user",
        "Add a user account",
        body=AddUser,
        returns=AddedUser,
        errors=(UserExists, GuestRefused, *_ERRORS),
        surface="v1",
    ),
    Route(
        "POST",
        f"{PATH}/files",
        add_file,
        "container.file",
        "Write a file",
        body=AddFile,
        returns=AddedFile,
        errors=(GuestRefused, *_ERRORS),
        surface="v1",
    ),
]
