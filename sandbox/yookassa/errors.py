"""What the stand-in answers instead of doing what was asked, in the shape of YooKassa's errors."""

import uuid
from http import HTTPStatus
from typing import Any

_CODES = {
    HTTPStatus.BAD_REQUEST: "invalid_request",
    HTTPStatus.UNAUTHORIZED: "invalid_credentials",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "not_supported",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_server_error",
}


class ApiError(Exception):
    """An answer that is not 200; `parameter` names the member of the request that is wrong."""

    def __init__(self, status: HTTPStatus, description: str, parameter: str = "") -> None:
        super().__init__(status, description, parameter)
        self.status = status
        self.description = description
        self.parameter = parameter

    @property
    def code(self) -> str:
        return _CODES[self.status]

    def to_json(self) -> dict[str, Any]:
        about = {"parameter": self.parameter} if self.parameter else {}
        return {
            "type": "error",
            "id": str(uuid.uuid4()),
            "code": self.code,
            "description": self.description,
            **about,
        }


def invalid(parameter: str, description: str) -> ApiError:
    """The request breaks a rule; the caller raises it."""
    return ApiError(HTTPStatus.BAD_REQUEST, description, parameter)


def not_found(parameter: str, description: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, description, parameter)
