"""`/sandbox`: what payers, banks and bad days do, as JSON. For tests and demonstrations."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from sandbox.yookassa.errors import ApiError, invalid, not_found
from sandbox.yookassa.exchange import Reply, Request, json_reply
from sandbox.yookassa.faults import Fault, Faults
from sandbox.yookassa.journal import Journal
from sandbox.yookassa.notifications import Notifications
from sandbox.yookassa.records import Status
from sandbox.yookassa.shop import Shop


class Control:
    """Answers requests whose path comes without `/sandbox`.

    `POST payments/<id>/succeed|wait_for_capture|decline|expire`, options `method`, `reason`, `party`, `at` ·
    `POST refunds/<id>/succeed|cancel`, options `reason`, `party` · `POST refunds {"status": …}`: what becomes of new
    ones · `POST payments|refunds/<id>/register_receipt`, option `state` · `POST receipts {"after": seconds or null}`:
    when receipts are registered · `POST faults` (members of `Fault`), `DELETE faults` · `GET requests` ·
    `GET notifications`, `POST notifications` (members of `Notifications.configure`),
    `POST notifications/release {"order": …}`
    """

    def __init__(
        self, shop: Shop, faults: Faults, journal: Journal, notifications: Callable[[], Notifications]
    ) -> None:
        self._shop, self._faults, self._journal = shop, faults, journal
        self._notifications = notifications

    def answer(self, request: Request) -> Reply:
        try:
            return json_reply(self._read(request) if request.method == "GET" else self._change(request))
        except ApiError as error:
            return json_reply(error.to_json(), error.status)
        except (ValueError, TypeError) as error:
            # Options that are none, or not of their type.
            refusal = ApiError(HTTPStatus.BAD_REQUEST, str(error))
            return json_reply(refusal.to_json(), refusal.status)

    def _read(self, request: Request) -> Any:
        match request.parts:
            case ["requests"]:
                return [call.to_json() for call in self._journal.calls()]
            case ["notifications"]:
                return [attempt.to_json() for attempt in self._notifications().attempts]
        raise not_found("", "There is no such list")

    def _change(self, request: Request) -> Any:
        if request.method == "DELETE" and request.parts == ["faults"]:
            self._faults.clear()
            return {}
        if request.method != "POST":
            raise ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "GET, POST, or DELETE faults")
        options = request.json()
        if not isinstance(options, dict):
            raise invalid("", "the body must be a JSON object")
        match request.parts:
            case ["faults"]:
                self._faults.add(Fault.from_json(options))
                return {}
            case ["notifications"]:
                self._notifications().configure(**options)
                return {}
            case ["notifications", "release"]:
                return [attempt.to_json() for attempt in self._notifications().release(**options)]
            case ["refunds"]:
                self._shop.refund_status = Status(options.get("status", ""))
                return {}
            case ["receipts"]:
                after = options.get("after")
                self._shop.register_after = None if after is None else float(after)
                return {}
            case [kind, object_id, action]:
                return self._act(kind, object_id, action, options)
        raise not_found("", "There is no such action")

    def _act(self, kind: str, object_id: str, action: str, options: dict[str, Any]) -> dict[str, Any]:
        if "at" in options:
            options["at"] = datetime.fromisoformat(options["at"])
        shop = self._shop
        actions: dict[tuple[str, str], Callable[..., dict[str, Any]]] = {
            ("payments", "succeed"): shop.succeed,
            ("payments", "wait_for_capture"): shop.wait_for_capture,
            ("payments", "decline"): shop.decline,
            ("payments", "expire"): shop.expire,
            ("refunds", "succeed"): shop.succeed_refund,
            ("refunds", "cancel"): shop.cancel_refund,
            ("payments", "register_receipt"): shop.register_receipt,
            ("refunds", "register_receipt"): shop.register_receipt,
        }
        if (kind, action) not in actions:
            raise not_found("", "There is no such action")
        return actions[kind, action](object_id, **options)
