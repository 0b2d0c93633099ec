"""Every error that a user may see, as a tree. Knows no HTTP: `api/errors.py` gives each a status.

`family` is the contract's `error`, `code` its `code`; `details` is JSON-serialisable and free of secrets.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class AppError(Exception):
    """An error that is told to the client as it stands."""

    family: ClassVar[str] = "io_error"
    code: str = "INTERNAL_ERROR"

    def __init__(self, message: str, /, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details
        if code is not None:
            self.code = code


class InternalError(AppError):
    """A defect of this server. The message says nothing of its inside."""


# --- auth_error -------------------------------------------------------------------------------


class AuthError(AppError):
    """Who asks, or from where, is not let in."""

    family = "auth_error"
    code = "UNAUTHORIZED"


class Unauthenticated(AuthError):
    """No credentials, or wrong ones."""


class TooManyAttempts(AuthError):
    """Too many wrong credentials from one address."""

    code = "TOO_MANY_ATTEMPTS"


class OriginRefused(AuthError):
    """A change or a websocket asked for by a page of another site."""

    code = "ORIGIN_REFUSED"


class VolumeRefused(AuthError):
    """A host path outside of ALLOWED_VOLUMES."""

    code = "VOLUME_REFUSED"


class RoleRefused(AuthError):
    """A viewer of a terminal session that wants more than its role allows."""

    code = "ROLE_REFUSED"


# --- validation_error -------------------------------------------------------------------------


class ValidationError(AppError):
    """Body, query or path is wrong. `errors` lists every fault: {field, code, message, provided}."""

    family = "validation_error"
    code = "INVALID_VALUE"

    @classmethod
    def of(cls, faults: Sequence[Mapping[str, Any]]) -> "ValidationError":
        """One error for all `faults`, led by the first: its code and message, `field`, `provided`."""
        first = faults[0]
        message = str(first["message"])
        if len(faults) > 1:
            message += f" (and {len(faults) - 1} more: see details.errors)"
        return cls(
            message,
            code=str(first["code"]),
            field=first.get("field"),
            provided=first.get("provided"),
            errors=[dict(fault) for fault in faults],
        )

    @classmethod
    def field(cls, field: str, message: str, provided: Any = None, code: str = "INVALID_VALUE") -> "ValidationError":
        """One fault in one field."""
        return cls.of([{"field": field, "code": code, "message": message, "provided": provided}])


class PathOutsideMount(ValidationError):
    """A path that leaves the container's mount, by its spelling or through a link."""

    code = "PATH_OUTSIDE_MOUNT"


class BadZip(ValidationError):
    """An archive that is refused: `entry` and `reason` in details."""

    code = "BAD_ZIP"


class TooLarge(ValidationError):
    """A body over a limit that is a setting."""

    code = "TOO_LARGE"


class RangeNotSatisfiable(ValidationError):
    """A range that begins behind the end of the file; `size` in details."""

    code = "RANGE_NOT_SATISFIABLE"


class UnsupportedMediaType(ValidationError):
    """A body without the content type that the route takes."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class MethodNotAllowed(ValidationError):
    """The path exists, the method does not."""

    code = "METHOD_NOT_ALLOWED"


# --- not_found --------------------------------------------------------------------------------


class NotFound(AppError):
    """What was named does not exist."""

    family = "not_found"
    code = "NOT_FOUND"


class RouteNotFound(NotFound):
    """No route has this path."""

    code = "ROUTE_NOT_FOUND"


class ContainerNotFound(NotFound):
    """No container has this cuid or name."""

    code = "CONTAINER_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"No container {name}", container=name)


class FileNotFound(NotFound):
    """No such path in the mount."""

    code = "FILE_NOT_FOUND"


class ImageNotFound(NotFound):
    """The engine has no such image and could not pull it."""

    code = "IMAGE_NOT_FOUND"


class SessionNotFound(NotFound):
    """No such terminal session."""

    code = "SESSION_NOT_FOUND"


class RecordingNotFound(NotFound):
    """No such recording."""

    code = "RECORDING_NOT_FOUND"


class UploadNotFound(NotFound):
    """No such upload: it ended, or never began."""

    code = "UPLOAD_NOT_FOUND"


# --- conflict ---------------------------------------------------------------------------------


class Conflict(AppError):
    """What is asked for belongs to somebody else."""

    family = "conflict"
    code = "CONFLICT"


class PortInUse(Conflict):
    """A host port that something listens on; `owner` in details where it is known."""

    code = "PORT_IN_USE"


class NameInUse(Conflict):
    """A container name that is taken."""

    code = "NAME_IN_USE"


class UserExists(Conflict):
    """A container has a user of that name already."""

    code = "USER_EXISTS"


class PathExists(Conflict):
    """A file or directory stands where one was to be made."""

    code = "PATH_EXISTS"


class FileChanged(Conflict):
    """The file is not the one that the client last saw; `etag` in details says what it is now."""

    code = "FILE_CHANGED"


class UploadConflict(Conflict):
    """A part that does not begin where the upload stands: `offset` in details."""

    code = "UPLOAD_OFFSET"


# --- compose_error ----------------------------------------------------------------------------


class ComposeError(AppError):
    """Compose failed: argv, exit code and the end of stderr in details, secrets removed."""

    family = "compose_error"
    code = "COMPOSE_FAILED"


class EngineUnavailable(ComposeError):
    """The engine does not answer."""

    code = "ENGINE_UNAVAILABLE"


class ComposeFileBroken(ComposeError):
    """A Compose file that was edited by hand into something unreadable; `line` in details."""

    code = "COMPOSE_FILE_BROKEN"


# --- io_error ---------------------------------------------------------------------------------


class IoError(AppError):
    """The disk refused."""

    family = "io_error"
    code = "IO_ERROR"


class NoSpace(IoError):
    """The disk is full, or would be."""

    code = "NO_SPACE"


# --- timeout ----------------------------------------------------------------------------------


class EngineTimeout(AppError):
    """Something took longer than it may: `seconds` in details."""

    family = "timeout"
    code = "TIMEOUT"


# --- state_error ------------------------------------------------------------------------------


class StateError(AppError):
    """The container is in a state that does not allow this."""

    family = "state_error"
    code = "INVALID_STATE"


class InvalidTransition(StateError):
    """A lifecycle step that this state does not have."""

    code = "INVALID_TRANSITION"


class BootMissing(StateError):
    """Nothing to run: no command, no boot.py, and the image's own command is a bare interpreter."""

    code = "BOOT_MISSING"


class ContainerRunning(StateError):
    """It runs, and this needs it stopped (or `force`)."""

    code = "CONTAINER_RUNNING"


class NotRunning(StateError):
    """It does not run, and this needs it running."""

    code = "NOT_RUNNING"


class GuestRefused(StateError):
    """A program inside the container failed at what was asked: `stderr` and `exit_code` in details."""

    code = "GUEST_REFUSED"


class StartRefused(StateError):
    """The engine cannot run it as described: its command, user, limits or address."""

    code = "START_REFUSED"


class LimitReached(StateError):
    """A limit that is a setting: sessions, viewers, uploads."""

    code = "LIMIT_REACHED"
