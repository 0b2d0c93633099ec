"""One connection pool to one server: requests out, errors in, the body when it is wanted."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from container_manager import __version__
from container_manager.client.errors import Refused, Unreachable
from container_manager.settings import Address

Json = dict[str, Any]
"""An answer as docs/api.md shows it."""

Query = Mapping[str, str | int | bool | None]
"""Query parameters; None leaves one out."""


class Transport:
    """Speaks to the server at `address`. Use it with `async with`, or end it with `close`.

    `timeout` is the seconds for one whole request that is not a stream. The server itself bounds what
    its engine may take, but pulling an image can be slow: hence the default.
    """

    def __init__(self, address: Address, *, timeout: float = 900.0) -> None:
        self.address = address
        self._timeout = timeout
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool, made at the first use: it needs a running loop."""
        if self._opened is None:
            authorization = aiohttp.encode_basic_auth(self.address.user, self.address.password)
            self._opened = aiohttp.ClientSession(
                headers={"Authorization": authorization, "User-Agent": f"container-manager/{__version__}"},
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=10),
            )
        return self._opened

    def url(self, *parts: str, query: Query | None = None) -> URL:
        """The address of a path whose `parts` may hold any character."""
        path = "/".join(quote(part, safe="") for part in parts)
        url = URL(f"{self.address.url}/{path}", encoded=True)
        given = {key: _text(value) for key, value in (query or {}).items() if value is not None}
        return url.update_query(given) if given else url

    @asynccontextmanager
    async def open(
        self, method: str, *parts: str, query: Query | None = None, stream: bool = False, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful response, its body unread. `stream` takes as long as it takes.

        Raises Refused for the server's errors and Unreachable when there is no answer, in the caller's
        block as well.
        """
        if stream:
            options["timeout"] = aiohttp.ClientTimeout(total=None, sock_connect=10)
        try:
            async with self.session.request(method, self.url(*parts, query=query), **options) as response:
                if response.status >= 400:
                    raise await refusal(response)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.unreachable(error) from error

    async def call(self, method: str, *parts: str, query: Query | None = None, **options: Any) -> Json:
        """A JSON answer. Raises as `open` does."""
        async with self.open(method, *parts, query=query, **options) as response:
            body: Json = await response.json(content_type=None)
            return body

    def unreachable(self, error: Exception) -> Unreachable:
        """Why there was no answer, as one line."""
        url = self.address.url
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return Unreachable(f"{url} has a certificate that this machine does not trust")
        if isinstance(error, aiohttp.ClientConnectorError):
            # asyncio's own text repeats the address; the number says it plainly. Names not found have none.
            number = error.os_error.errno or 0
            reason = os.strerror(number) if number > 0 else error.os_error.strerror or str(error.os_error)
            return Unreachable(f"No server answers at {url} ({reason})")
        if isinstance(error, TimeoutError):
            return Unreachable(f"{url} did not answer in time")
        return Unreachable(f"The connection to {url} broke: {error or type(error).__name__}")


async def refusal(response: aiohttp.ClientResponse) -> Refused:
    """The error that a response of 400 or more tells; a proxy's page, too, makes one."""
    text = await response.text(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "message" not in body:
        body = {"message": f"The server answered {response.status} {response.reason or ''}".rstrip()}
    return Refused(response.status, body)


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
