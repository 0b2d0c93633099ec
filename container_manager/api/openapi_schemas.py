"""From pydantic models to the schemas of the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from container_manager.api.route import Route, Surface

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
_REFERENCE = "#/components/schemas/{model}"


class Schemas:
    """The schemas of every body, query and answer of some routes."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        wanted: dict[tuple[type[BaseModel], Mode], None] = {}
        for route in routes:
            if route.body is not None:
                wanted[route.body, "validation"] = None
            if isinstance(route.returns, type):
                wanted[route.returns, "serialization"] = None
        self._references, definitions = models_json_schema(list(wanted), ref_template=_REFERENCE)
        self.components: Json = dict(definitions.get("$defs", {}))

    def body(self, model: type[BaseModel]) -> Json:
        """A reference to the schema of a request's body."""
        return dict(self._references[model, "validation"])

    def answer(self, model: type[BaseModel], surface: Surface) -> Json:
        """The schema of an answer, in the envelope of `surface`."""
        reference = dict(self._references[model, "serialization"])
        if surface == "v1":
            return {"allOf": [{"$ref": "#/components/schemas/Success"}, reference]}
        return reference

    def query(self, route: Route) -> list[Json]:
        """The parameters of a route's query."""
        if route.query is None:
            return []
        schema = route.query.model_json_schema(ref_template=_REFERENCE)
        self.components.update(schema.pop("$defs", {}))
        required = schema.get("required", ())
        return [_parameter(name, part, name in required) for name, part in schema.get("properties", {}).items()]


def _parameter(name: str, schema: Json, required: bool) -> Json:
    schema = _without_null(schema)
    schema.pop("title", None)
    parameter: Json = {"name": name, "in": "query", "required": required}
    if about := schema.pop("description", None):
        parameter["description"] = about
    if schema.get("type") == "array":
        # Lists are written with commas: `status=running,paused`.
        parameter |= {"style": "form", "explode": False}
    return {**parameter, "schema": schema}


def _without_null(schema: Json) -> Json:
    """A query has no null: a parameter is there or it is not."""
    schema = dict(schema)
    members = [member for member in schema.get("anyOf", ()) if member.get("type") != "null"]
    if len(members) == 1:
        del schema["anyOf"]
        schema = {**members[0], **schema}
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema
