"""The pages: static files, read into memory at start. No request's path ever reaches the file system."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from container_manager.api.answers import page_headers
from container_manager.api.route import Media, Route
from container_manager.errors import RouteNotFound

WEB_DIRECTORY = Path(__file__).resolve().parent.parent / "web"

_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served; nothing else in the directory is."""

_NEEDED = "vendor/xterm.mjs"

_UNFINISHED = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>container-manager</title>
<h1>The pages are not complete yet</h1>
<p>The server runs and its API works, but the parts that the pages take from npm are missing. On the server, in the
project's directory, run</p>
<pre>scripts/web_vendor.sh</pre>
<p>(it needs npm), then restart the server and reload this page.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its content, media type and ETag."""

    body: bytes
    media_type: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "Asset":
        """With the ETag that `body` has."""
        return cls(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def load_assets(directory: Path = WEB_DIRECTORY) -> Mapping[str, Asset]:
    """Every file that is served, by its path below `directory`. Reads the disk: call it before serving."""
    assets = dict(_read(directory))
    if _NEEDED not in assets:
        assets["index.html"] = Asset.of(_UNFINISHED, "text/html")
    return assets


def _read(directory: Path) -> Iterator[tuple[str, Asset]]:
    for file in directory.rglob("*"):
        if file.suffix in _TYPES and file.is_file() and "node_modules" not in file.parts:
            yield file.relative_to(directory).as_posix(), Asset.of(file.read_bytes(), _TYPES[file.suffix])


ASSETS = web.AppKey("assets", Mapping[str, Asset])


def _answer(request: web.Request, name: str) -> web.Response:
    asset = request.app[ASSETS].get(name)
    if asset is None:
        raise RouteNotFound("There is no such path")
    # `no-cache` lets a browser keep a file and ask each time whether it is still the same.
    headers = {**page_headers(), hdrs.ETAG: asset.etag}
    known = request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")
    if asset.etag in (tag.strip().removeprefix("W/") for tag in known):
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if asset.media_type.startswith("text/") else None
    return web.Response(body=asset.body, content_type=asset.media_type, charset=charset, headers=headers)


async def page(request: web.Request) -> web.Response:
    """The one page; what it shows is in the address's fragment."""
    return _answer(request, "index.html")


async def part(request: web.Request, *, path: str) -> web.Response:
    """A file that the page is made of."""
    return _answer(request, path)


_UNCHANGED = {304: "The browser's copy is the same"}

WEB_ROUTES = [
    Route("GET", "/", page, "web.page", "The dashboard", returns=Media("text/html", "The page"), also=_UNCHANGED),
    Route(
        "GET",
        "/web/{path:.+}",
        part,
        "web.part",
        "A file of the dashboard",
        returns=Media("text/javascript", "The file", others=("text/css", "image/svg+xml", "font/woff2", "text/html")),
        errors=(RouteNotFound,),
        also=_UNCHANGED,
    ),
]
