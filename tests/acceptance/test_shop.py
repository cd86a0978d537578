"""The demo shop's own calls, in the order in which its page makes them, through everything that runs in production."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from sandbox.mailbox import Mailbox
from sandbox.services.process import free_port
from sandbox.services.stand_ins import webhook_url
from sandbox.yookassa.notifications import Notifications
from sandbox.yookassa.server import YooKassaServer
from tests.acceptance.mails import mails
from tests.acceptance.processes import Fleet
from tests.acceptance.waiting import wait_until
from tests.support.databases import ClonedDatabase

SHOP_ID, SECRET_KEY = "100500", "test_shop"
ANNA = "a0000000-0000-4000-8000-000000000001"
ANNAS_CHILD = "b0000000-0000-4000-8000-000000000003"


class Browser:
    """What the page's script does: calls relative to `/demo/`, with the token that signing in brought."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def sign_in(self, user_id: str) -> None:
        self._session.headers["Authorization"] = f"Bearer {self.post('sign-in', user_id=user_id)['access_token']}"

    def get(self, path: str) -> Any:
        return self._read(self._session.get(urljoin(self.url, path), timeout=10))

    def post(self, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        return self._read(self._session.post(urljoin(self.url, path), json=body, headers=headers, timeout=10))

    def page(self) -> "requests.Response":
        return self._session.get(self.url, timeout=10)

    def file(self, path: str) -> "requests.Response":
        return self._session.get(urljoin(self.url, path), timeout=10)

    def close(self) -> None:
        self._session.close()

    def _read(self, answer: "requests.Response") -> Any:
        assert answer.ok, f"{answer.url}: {answer.status_code} {answer.text}"
        return answer.json()


@pytest.fixture
def yookassa() -> Iterator[YooKassaServer]:
    with YooKassaServer(shop_id=SHOP_ID, secret_key=SECRET_KEY) as server:
        yield server


@pytest.fixture
def browser(
    fleet: Fleet, yookassa: YooKassaServer, seeded_database: ClonedDatabase, tmp_path: Path
) -> Iterator[Browser]:
    """The shop as gunicorn serves it. Behind it nothing runs yet."""
    port = free_port()
    fleet.variables |= {
        "YUKASSA_API_URL": yookassa.api_url,
        "YUKASSA_WIDGET_URL": yookassa.widget_url,
        "YUKASSA_SHOP_ID": SHOP_ID,
        "YUKASSA_SECRET_KEY": SECRET_KEY,
        "API_BASE_URL": f"http://127.0.0.1:{port}",
        "REPORTS_DIR": str(tmp_path / "reports"),
        # The tests look more often than a page does.
        "API_THROTTLE_DEFAULT": "10000",
    }
    yookassa.notifications = Notifications(webhook_url(port))
    fleet.web(port).await_text("Listening at")
    shop = Browser(f"http://127.0.0.1:{port}/demo/")
    yield shop
    shop.close()


def test_the_shop_works_and_shows_nobody_what_another_family_bought(
    browser: Browser, fleet: Fleet, yookassa: YooKassaServer, mailbox: Mailbox
) -> None:
    nobody_sees_what_another_family_bought(browser, yookassa)
    a_family_buys_a_consultation_and_fetches_its_report(browser, fleet, yookassa, mailbox)


def a_family_buys_a_consultation_and_fetches_its_report(
    browser: Browser, fleet: Fleet, yookassa: YooKassaServer, mailbox: Mailbox
) -> None:
    fleet.bridge()
    fleet.worker()
    page = browser.page()
    assert yookassa.widget_url in page.text
    assert "anna.sokolova@example.org" in page.text.replace("<wbr>", "")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    scripts = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert {path: browser.file(path).status_code for path in scripts} == dict.fromkeys(scripts, 200)

    browser.sign_in(ANNA)
    offers = browser.get("offers")
    assert all(float(one["price"]) >= 1 and one["times"] for one in offers["consultations"])
    chosen = offers["consultations"][0]
    order = {
        "type": "appointment",
        "package_id": None,
        "appointment_type_id": chosen["id"],
        "scheduled_at": chosen["times"][-1],
        "profile_id": ANNAS_CHILD,
    }
    bill: dict[str, Any] = {"amount": float(chosen["price"]), "currency": "RUB", "metadata": order}

    row = browser.post("payments", **bill)
    started = browser.post("/api/payments/create", headers={"Idempotency-Key": row["id"]}, **bill)
    assert started["payment_id"] == row["id"], "the row that the page inserted is adopted"
    form = {"token": started["confirmation_token"], "method": "bank_card"}
    assert "Оплата прошла" in requests.post(f"{yookassa.page_url}widget/pay", data=form, timeout=10).text

    # The notification alone does it: nobody has asked yet.
    bought = wait_until(
        lambda: browser.get(f"payments/{row['id']}/bought")["scheduled_at"], "the consultation is booked"
    )
    assert bought == chosen["times"][-1]
    assert browser.post("/api/payments/verify", payment_id=row["id"])["status"] == "completed"
    assert browser.get("/api/payments")["results"][0]["id"] == row["id"]
    assert chosen["times"][-1] not in browser.get("offers")["consultations"][0]["times"]
    wait_until(lambda: len(mails(mailbox)) > 1, "two mails are delivered")
    assert {mail.recipient for mail in mails(mailbox)} == {"anna.sokolova@example.org"}

    assessment = offers["assessments"][0]
    report = browser.post("/api/reports", assessment_id=assessment["id"], report_type="pdf")
    wait_until(lambda: browser.get(f"/api/reports/{report['id']}")["status"] == "stored", "the report is stored")
    assert browser.file(f"/api/reports/{report['id']}/file").content.startswith(b"%PDF-")


def nobody_sees_what_another_family_bought(browser: Browser, yookassa: YooKassaServer) -> None:
    annas = "d0000000-0000-4000-8000-000000000001"
    address = urljoin(browser.url, f"payments/{annas}/bought")
    assert requests.get(address, timeout=10).status_code == 401
    browser.sign_in("a0000000-0000-4000-8000-000000000002")
    assert browser.file(address).status_code == 404
    browser.sign_in(ANNA)
    assert browser.get(address)["scheduled_at"] is not None
    assert yookassa.requests == []
