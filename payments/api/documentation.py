"""What OpenAPI says about the payments, apart from what serializers say."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from payments.api.idempotent import HEADER, PROBLEM, REPLAYED

Responses = dict[Any, Any]

IDEMPOTENCY = [
    OpenApiParameter(
        HEADER,
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"},
        OpenApiParameter.HEADER,
        description="The same key with the same body gets the same answer, for two days. Answers of 5xx are not kept: "
        "the same key is free again as soon as nobody works on it. A new try after a decline is a new key.",
    ),
    OpenApiParameter(
        REPLAYED,
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 202],
        description="Set when this is the answer of an earlier request.",
    ),
]
CSRF = OpenApiParameter(
    "X-CSRFToken", str, OpenApiParameter.HEADER, description="Django's token, as the page of the admin has it."
)


def problems(**codes: str) -> Responses:
    """Describe problems by status, like `problems(_409="`slot_taken`: …")`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        (int(status.removeprefix("_")), PROBLEM): OpenApiResponse(schema, description)
        for status, description in codes.items()
    }


KEY_PROBLEMS = "`request_in_flight`: the same key is at work, see `Retry-After`."
REUSED = "`idempotency_key_reused`: the key came with another request before."
