"""Where a link that came with a message may lead."""

from uuid import UUID

import pytest
from pytest_django import Settings

from bridge.errors import PermanentError, Refused
from notifications.writing.catalogue import ReportReady
from notifications.writing.links import read_report_link
from notifications.writing.request import EmailRequest
from tests.support.email_samples import REPORT_ID, message_body

ROUTE = f"/api/reports/{REPORT_ID}/file"
STORAGE = "https://abc.supabase.example"


@pytest.fixture(autouse=True)
def _hosts(settings: Settings) -> None:
    settings.API_BASE_URL = "https://api.littleotter.example"
    settings.FRONTEND_URL = "https://littleotter.example"
    settings.EMAIL_LINK_HOSTS = ("abc.supabase.example",)


@pytest.mark.parametrize(
    ("base", "link"),
    [
        ("https://api.littleotter.example", f"https://api.littleotter.example{ROUTE}?token=x"),
        ("https://api.littleotter.example", f" HTTPS://API.littleotter.example:443{ROUTE}?token=x "),
        ("https://littleotter.example/worker/", f"https://littleotter.example/worker{ROUTE}?token=x"),
        ("https://апи.балансити.рф", f"https://xn--80aqu.xn--80aab4aapp6ak.xn--p1ai{ROUTE}?token=x"),
        ("https://апи.балансити.рф", f"https://апи.балансити.рф{ROUTE}?token=x"),
        ("http://localhost:3001", f"http://localhost:3001{ROUTE}?token=x"),
    ],
)
def test_of_our_own_link_only_the_reports_id_counts(base: str, link: str, settings: Settings) -> None:
    settings.API_BASE_URL = base
    assert read_report_link(link) == UUID(REPORT_ID)


@pytest.mark.parametrize(
    "link",
    [
        f"{STORAGE}/storage/v1/object/sign/reports/2024/otchet.pdf?token=eyJ.x.y",
        f"{STORAGE}/storage/v1/object/sign/reports/a/b/c.pdf?token=eyJ.x.y&download=report.pdf",
    ],
)
def test_a_signed_object_of_the_storage_is_a_good_link(link: str) -> None:
    assert read_report_link(link) == link


@pytest.mark.parametrize(
    "link",
    [
        *("", "javascript:alert(1)", "data:text/html,x", "//abc.supabase.example/a", "https://", "https://[::1"),
        # Other places of our own and of the storage.
        "https://littleotter.example/redirect?to=https://evil.example",
        "https://api.littleotter.example/admin/login/?next=/x",
        f"https://api.littleotter.example/api/reports/{REPORT_ID}",
        f"https://api.littleotter.example/redirect{ROUTE}",
        f"http://api.littleotter.example{ROUTE}?token=x",
        f"https://api.littleotter.example:8443{ROUTE}?token=x",
        f"{STORAGE}/storage/v1/object/public/reports/a.pdf?token=x",
        f"{STORAGE}/auth/v1/verify?token=x&redirect_to=https://evil.example",
        f"{STORAGE}/storage/v1/object/sign/reports/../../../../auth/v1/verify?token=x",
        f"{STORAGE}/storage/v1/object/sign/reports/%2e%2e/%2e%2e/x?token=x",
        f"{STORAGE}/storage/v1/object/sign/../sign/x?token=x",
        f"{STORAGE}/storage/v1/object/sign/reports/a.pdf",
        f"{STORAGE}/storage/v1/object/sign/reports?token=x",
        f"{STORAGE}/storage/v1/object/sign/avatars/a.pdf?token=x",
        "http://abc.supabase.example/storage/v1/object/sign/reports/a.pdf?token=x",
        # Other hosts.
        f"https://evil.example{ROUTE}?token=x",
        f"https://api.littleotter.example@evil.example{ROUTE}",
        f"https://api.littleotter.example\\@evil.example{ROUTE}",
        "https://abc.supabase.example.evil.example/storage/v1/object/sign/reports/a.pdf?token=x",
        "https://evil.example/storage/v1/object/sign/reports/a.pdf?token=x",
    ],
)
def test_no_button_leads_to_another_place(link: str) -> None:
    with pytest.raises(Refused):
        read_report_link(link)
    body = message_body("report_ready", report_url=link)
    del body["variables"]["report_id"]
    with pytest.raises(Refused, match="template report_ready: the variable report_url"):
        EmailRequest.parse(body)


def test_the_id_counts_where_a_message_has_both() -> None:
    content = EmailRequest.parse(message_body("report_ready", report_url="https://evil.example/")).content
    assert isinstance(content, ReportReady)
    assert (content.report_id, content.report_url) == (UUID(REPORT_ID), "")


@pytest.mark.parametrize("value", ["", "1", "../admin", f"{REPORT_ID}0"])
def test_an_id_that_is_none_is_named(value: str) -> None:
    with pytest.raises(PermanentError, match="the variable report_id is not the id of a report"):
        EmailRequest.parse(message_body("report_ready", report_id=value))
