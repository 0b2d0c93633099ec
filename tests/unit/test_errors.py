"""Each error has one status, and one body on each surface."""

import errno
from typing import Any

import pytest
from aiohttp import web

from container_manager import errors
from container_manager.api.errors import as_app_error, body_of, error_response, headers_of, status_of


def all_kinds(kind: type[errors.AppError] = errors.AppError) -> list[type[errors.AppError]]:
    return [kind, *(one for sub in kind.__subclasses__() if "errors" in sub.__module__ for one in all_kinds(sub))]


FAMILY_STATUSES = {
    "auth_error": {401, 403, 429},
    "validation_error": {400, 405, 413, 415, 416},
    "not_found": {404},
    "conflict": {409},
    "compose_error": {500, 503},
    "io_error": {500, 507, 499},
    "timeout": {408},
    "state_error": {422},
}


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.__name__)
def test_each_class_has_a_status_of_its_family(kind: type[errors.AppError]) -> None:
    assert status_of(kind) in FAMILY_STATUSES[kind.family]
    assert kind.code == kind.code.upper()
    assert kind.__doc__


def test_a_new_subclass_takes_its_parents_status() -> None:
    class Special(errors.NoSpace):
        pass

    assert status_of(Special) == 507


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (errors.ContainerNotFound("x"), errors.ContainerNotFound),
        (RuntimeError("the secret inside"), errors.InternalError),
        (RecursionError(), errors.InternalError),
        (TimeoutError(), errors.EngineTimeout),
        (OSError(errno.ENOSPC, "No space left on device"), errors.NoSpace),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errors.NoSpace),
        (PermissionError(errno.EACCES, "Permission denied"), errors.IoError),
        (web.HTTPNotFound(), errors.RouteNotFound),
        (web.HTTPMethodNotAllowed("GET", ["POST"]), errors.MethodNotAllowed),
        (web.HTTPRequestEntityTooLarge(1, 2), errors.TooLarge),
        (web.HTTPUnsupportedMediaType(), errors.UnsupportedMediaType),
        (web.HTTPBadRequest(), errors.ValidationError),
        (web.HTTPInternalServerError(), errors.InternalError),
    ],
)
def test_what_any_exception_is_told_as(raised: Exception, kind: type[errors.AppError]) -> None:
    told = as_app_error(raised)
    assert type(told) is kind
    assert "secret" not in told.message


def test_the_main_shape() -> None:
    body = body_of(errors.ValidationError.field("image", "Image is required", code="MISSING_IMAGE"), "main", "the-id")
    assert body.pop("timestamp")
    assert body == {
        "error": "validation_error",
        "code": "MISSING_IMAGE",
        "message": "Image is required",
        "status": 400,
        "request_id": "the-id",
        "details": {
            "field": "image",
            "provided": None,
            "errors": [{"field": "image", "code": "MISSING_IMAGE", "message": "Image is required", "provided": None}],
        },
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ContainerNotFound("x"), {"message": "No container x", "code": 404, "type": "PodmanAPIError"}),
        (errors.InternalError("Oh"), {"message": "Oh", "code": 500, "type": "InternalError"}),
        (errors.Unauthenticated("Who?"), {"message": "Who?", "code": 401, "type": "PodmanAPIError"}),
        (
            errors.ValidationError.of([{"code": "A", "message": "One"}, {"code": "B", "message": "Two"}]),
            {"message": "One; Two", "code": 400, "type": "ValidationError"},
        ),
    ],
)
def test_the_v1_shape(error: errors.AppError, expected: dict[str, Any]) -> None:
    body = body_of(error, "v1", "the-id")
    assert body.pop("timestamp")
    assert body == {"success": False, "error": expected}


def test_the_stacktrace_is_for_the_main_surface() -> None:
    error = errors.InternalError("Oh")
    assert body_of(error, "main", "id", "Traceback")["stacktrace"] == "Traceback"
    assert "Traceback" not in str(body_of(error, "v1", "id", "Traceback"))


def test_headers_that_belong_to_an_error() -> None:
    assert headers_of(errors.Unauthenticated("")) == {
        "WWW-Authenticate": 'Basic realm="container-manager", charset="UTF-8"'
    }
    assert headers_of(errors.TooManyAttempts("", retry_after=7)) == {"Retry-After": "7"}
    assert headers_of(errors.MethodNotAllowed("", allowed=["GET", "HEAD"])) == {"Allow": "GET, HEAD"}
    assert headers_of(errors.NotFound("")) == {}


def test_any_text_can_be_told() -> None:
    response = error_response(errors.NotFound("\ud800\0", number=2**70), "main", "id")
    assert response.status == 404
    assert b'"message"' in response.body  # type: ignore[operator]
