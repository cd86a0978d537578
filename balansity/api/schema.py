"""What OpenAPI says about errors: each operation names those that can happen to it, all of one shape."""

from collections.abc import Iterator
from typing import Any

from bridge.problem import CONTENT_TYPE

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_REQUEST_ID = {"description": "The id of the request, for log lines and support.", "schema": {"type": "string"}}
_RETRY_AFTER = {
    "description": "Seconds to wait. No limit refuses a repeat after them.",
    "schema": {"type": "integer", "minimum": 1},
}

_DESCRIPTIONS = {
    "400": "The request is not valid; `errors` says where.",
    "401": "No access token, or one that does not count.",
    "404": "There is no such thing, or it belongs to somebody else.",
    "413": "The request body is too large.",
    "415": "The request body is not JSON.",
    "429": "Too many requests.",
    "503": "Something that the service needs does not answer, or too many requests wait for it already.",
    "default": "Any other error.",
}

_FIELD_PROBLEM = {
    "type": "object",
    "properties": {
        "field": {"type": "string", "description": "Dotted path of the member, empty for the request as a whole."},
        "message": {"type": "string"},
        "code": {"type": "string"},
    },
    "required": ["code", "field", "message"],
}
_PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "error": {"type": "string", "description": "The same as `detail`, for the front end."},
        "code": {"type": "string", "description": "Stable, in snake_case; for programs."},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldProblem"}},
    },
    "required": ["code", "detail", "error", "request_id", "status", "title", "type"],
}


def document_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the problems to each operation of a schema; what an operation says itself about one of them stays."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(FieldProblem=_FIELD_PROBLEM, Problem=_PROBLEM)
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    for path in result.get("paths", {}).values():
        for method in _METHODS:
            if method in path:
                operation = path[method]
                responses = operation["responses"]
                for status in {*_statuses(operation), *(own for own in responses if own[0] in "45")}:
                    responses[status] = {**_response(status), **responses.get(status, {})}
                operation["responses"] = dict(sorted(responses.items()))
    return result


def _statuses(operation: dict[str, Any]) -> Iterator[str]:
    if "requestBody" in operation or operation.get("parameters"):
        yield "400"
    if operation.get("security"):
        yield "401"
    if any(parameter.get("in") == "path" for parameter in operation.get("parameters", ())):
        yield "404"
    if "requestBody" in operation:
        yield from ("413", "415")
    yield from ("429", "503", "default")


def _response(status: str) -> dict[str, Any]:
    headers = {"X-Request-ID": _REQUEST_ID}
    # Of the conflicts, those that pass: a request that is at work, a report on its way.
    if status in {"409", "429", "503"}:
        headers["Retry-After"] = _RETRY_AFTER
    return {
        "description": _DESCRIPTIONS.get(status, _DESCRIPTIONS["default"]),
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
