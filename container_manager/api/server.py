"""aiohttp's server, with our errors for what is no proper HTTP request."""

import logging
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from container_manager.api.answers import secure
from container_manager.api.audited import write
from container_manager.api.context import SERVICES, Exchange
from container_manager.api.errors import as_app_error, error_response, report, status_of
from container_manager.api.remote import client_address
from container_manager.api.request_id import request_id_of
from container_manager.api.route import surface_of
from container_manager.errors import AppError, ValidationError
from container_manager.models import Actor

log = logging.getLogger("container_manager.http")

MALFORMED = "request.malformed"


class _Connection(RequestHandler):
    """One connection. What aiohttp would answer itself, in text or HTML, has our shape too."""

    __slots__ = ("_app",)

    def __init__(self, app: web.Application, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self._app = app

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer for a request that no middleware has seen, or that failed outside of them."""
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun: no other can be sent")
        request_id = request_id_of(request.headers)
        told: AppError
        if 400 <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = (message or "").strip().partition("\n")[0]
            told = ValidationError(f"This is not proper HTTP: {reason}"[:300], code="BAD_REQUEST")
        else:
            failure = exc or RuntimeError(message)
            told = as_app_error(failure)
            report(failure, told, request_id)
        services = self._app[SERVICES]
        remote = client_address(request, services.settings.trusted_proxies)
        exchange = Exchange(request_id, time.monotonic(), Actor("", remote), error=told)
        write(services.audit, exchange, action=MALFORMED, method=None, path=None, status=status_of(told), seconds=0.0)
        response = error_response(told, surface_of(request.path), request_id)
        secure(response.headers, request_id)
        response.force_close()
        return response


class _Server(web.Server):
    """Makes connections of ours: aiohttp offers no other hook for its own error pages."""

    def __init__(self, app: web.Application, made: web.Server) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, handler_cancellation=True)
        self._app = app

    def __call__(self) -> RequestHandler:
        return _Connection(self._app, self, loop=self._loop, auto_decompress=False, access_log=None, logger=log)


class Runner(web.AppRunner):
    """Runs the application the way it is written for.

    `handler_cancellation` is on: a stream whose client is gone ends; changes run on (`api/mutation.py`).
    `auto_decompress` is off: no body is inflated.
    """

    async def _make_server(self) -> web.Server:
        return _Server(self.app, await super()._make_server())
