"""The report queue: what a message of it asks for, checked."""

from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from django.utils import timezone

from bridge.errors import InvalidMessage
from reports.models import Kind

QUEUE = "report_generation_queue"


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report to be made. That the assessment is this user's is the sender's claim so far."""

    assessment_id: UUID
    user_id: UUID
    kind: Kind

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read the body of a message; raises `InvalidMessage` for a wrong shape. Other keys are ignored."""
        if not isinstance(body, dict):
            raise InvalidMessage("the message must be a JSON object")
        kind = _string(body, "report_type")
        if kind not in Kind.values:
            raise InvalidMessage('the key "report_type" must be one of ' + ", ".join(Kind.values))
        return cls(_uuid(body, "assessment_id"), _uuid(body, "user_id"), Kind(kind))

    def to_body(self) -> dict[str, Any]:
        """The body as the database's own function `queue_report_generation` writes it."""
        return {
            "assessment_id": str(self.assessment_id),
            "user_id": str(self.user_id),
            "report_type": self.kind.value,
            "created_at": timezone.now().isoformat(),
        }


def _uuid(body: dict[str, object], key: str) -> UUID:
    text = _string(body, key)
    try:
        value = UUID(text)
    except ValueError:
        raise InvalidMessage(f'the key "{key}" must be a uuid') from None
    # The class takes braces, prefixes and dashes anywhere as well.
    if str(value) != text.lower():
        raise InvalidMessage(f'the key "{key}" must be a uuid')
    return value


def _string(body: dict[str, object], key: str) -> str:
    if key not in body:
        raise InvalidMessage(f'the key "{key}" is missing')
    value = body[key]
    if not isinstance(value, str):
        raise InvalidMessage(f'the key "{key}" must be a string')
    return value
