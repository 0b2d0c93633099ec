"""/docs: the OpenAPI document as one page of HTML, without scripts and without anything from elsewhere."""

from collections.abc import Iterator
from html import escape
from typing import Any

import orjson

Json = dict[str, Any]
_METHODS = ("get", "put", "post", "patch", "delete")


def page(document: Json) -> str:
    """The whole page. Its style is `web/css/docs.css`."""
    info = document["info"]
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(info['title'])} API</title>\n",
            '<link rel="stylesheet" href="web/css/docs.css">\n</head>\n<body>\n',
            f"<header><h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>\n",
            _text(info["description"]),
            '<p><a href="openapi.json">openapi.json</a></p></header>\n',
            *_contents(document),
            "<main>\n",
            *_chapters(document),
            "<h2>Schemas</h2>\n",
            *(_schema_section(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
            "</main>\n</body>\n</html>\n",
        )
    )


def _operations(document: Json, tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations and tag in operations[method]["tags"]:
                yield path, method, operations[method]


def _contents(document: Json) -> Iterator[str]:
    yield '<nav aria-label="Routes">\n'
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>\n<ul>\n"
        for path, method, operation in _operations(document, tag["name"]):
            link = f'<a href="#{operation["operationId"]}">{_name(method, path)}</a>'
            yield f"<li>{link} <span>{escape(operation['summary'])}</span></li>\n"
        yield "</ul>\n"
    yield "</nav>\n"


def _chapters(document: Json) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>\n"
        for path, method, operation in _operations(document, tag["name"]):
            yield _operation(path, method, operation)


def _name(method: str, path: str) -> str:
    return f'<b class="{method}">{method.upper()}</b> <code>{escape(path)}</code>'


def _operation(path: str, method: str, operation: Json) -> str:
    return "".join(
        (
            f'<section id="{operation["operationId"]}">\n<h3>{_name(method, path)}</h3>\n',
            f"<p><strong>{escape(operation['summary'])}</strong></p>\n",
            _text(operation["description"]),
            *_parameters(operation.get("parameters", [])),
            *_body(operation.get("requestBody")),
            *_responses(operation["responses"]),
            "</section>\n",
        )
    )


def _parameters(parameters: list[Json]) -> Iterator[str]:
    if not parameters:
        return
    yield "<h4>Parameters</h4>\n<table>\n<tr><th>Name</th><th>In</th><th>Type</th><th>About</th></tr>\n"
    for parameter in parameters:
        required = "" if parameter["in"] == "path" or not parameter["required"] else " <em>required</em>"
        yield (
            f"<tr><td><code>{escape(parameter['name'])}</code>{required}</td><td>{parameter['in']}</td>"
            f"<td>{_type(parameter['schema'])}</td><td>{_inline(parameter.get('description', ''))}</td></tr>\n"
        )
    yield "</table>\n"


def _body(body: Json | None) -> Iterator[str]:
    if body is None:
        return
    yield f"<h4>Body{'' if body['required'] else ' (optional)'}</h4>\n<ul>\n"
    for media, content in body["content"].items():
        yield f"<li><code>{escape(media)}</code> {_type(content['schema'])}</li>\n"
    yield "</ul>\n"


def _responses(responses: Json) -> Iterator[str]:
    yield "<h4>Answers</h4>\n<table>\n<tr><th>Status</th><th>About</th><th>Content</th></tr>\n"
    for status, response in responses.items():
        content = "<br>".join(
            f"<code>{escape(media)}</code> {_type(part['schema'])}"
            for media, part in response.get("content", {}).items()
        )
        yield f"<tr><td>{status}</td><td>{_text(response['description'])}</td><td>{content}</td></tr>\n"
    yield "</table>\n"


def _schema_section(name: str, schema: Json) -> str:
    rows = []
    required = schema.get("required", ())
    for field, part in schema.get("properties", {}).items():
        mark = " <em>required</em>" if field in required else ""
        rows.append(
            f"<tr><td><code>{escape(field)}</code>{mark}</td><td>{_type(part)}</td>"
            f"<td>{_inline(part.get('description', ''))}</td></tr>\n"
        )
    table = f"<table>\n<tr><th>Field</th><th>Type</th><th>About</th></tr>\n{''.join(rows)}</table>\n" if rows else ""
    about = _text(schema.get("description", ""))
    return f'<section id="schema-{escape(name)}">\n<h3>{escape(name)}</h3>\n{about}{table}</section>\n'


def _type(schema: Json) -> str:
    """A schema in a few words, with links to those that have a name."""
    if reference := schema.get("$ref"):
        name = escape(reference.rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for joined, word in (("allOf", " and "), ("anyOf", " or "), ("oneOf", " or ")):
        if joined in schema:
            return word.join(_type(part) for part in schema[joined])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(_json(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(_json(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    text = escape(" or ".join(kind) if isinstance(kind, list) else kind)
    return text + "".join(f", {word} {escape(_json(schema[key]))}" for key, word in _LIMITS.items() if key in schema)


_LIMITS = {
    "minimum": "from",
    "maximum": "to",
    "maxLength": "at most",
    "pattern": "like",
    "default": "default",
}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _text(text: str) -> str:
    """Paragraphs, with `code` marked."""
    return "".join(f"<p>{_inline(part)}</p>\n" for part in text.strip().split("\n\n") if part.strip())


def _inline(text: str) -> str:
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
