"""Whether payments can be made: what YooKassa says of our shop, and what receipts and bookings need beside it."""

from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from bridge.diagnosis import Finding, Probe, clock_findings, error, warning
from payments.yookassa.client import YooKassaClient
from payments.yookassa.errors import Rejected, Unavailable
from payments.yookassa.objects import Account

SECONDS = 3.0


def look_at_yookassa() -> Iterator[Finding]:
    if not settings.YUKASSA_SHOP_ID:
        if not settings.SANDBOX:
            cause = _("Payments are not set up: YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY are empty.")
            yield warning("payments.not_set_up", cause, _("Copy both from YooKassa's office."))
        return
    try:
        account = _ask_account(SECONDS)
    except (Rejected, Unavailable) as trouble:
        yield _explain(trouble)
    else:
        yield from clock_findings("YooKassa", account.date)
        yield from _about(account)


def look_at_account(seconds: float | None) -> Iterator[Finding]:
    """Whether YooKassa answers, and knows our key: the breaker's probe. `None`: as long as any call may take."""
    if not settings.YUKASSA_SHOP_ID:
        return
    try:
        _ask_account(seconds)
    except (Rejected, Unavailable) as trouble:
        yield _explain(trouble)


def _ask_account(seconds: float | None) -> Account:
    client = YooKassaClient(
        shop_id=settings.YUKASSA_SHOP_ID,
        secret_key=settings.YUKASSA_SECRET_KEY,
        api_url=settings.YUKASSA_API_URL,
        connect_timeout=settings.YUKASSA_CONNECT_TIMEOUT if seconds is None else seconds,
        read_timeout=settings.YUKASSA_READ_TIMEOUT if seconds is None else seconds,
    )
    try:
        return client.get_account()
    finally:
        client.close()


def _explain(trouble: Rejected | Unavailable) -> Finding:
    if isinstance(trouble, Rejected):
        cause = _("YooKassa refuses our account (%(said)s).")
        remedy = _(
            "Check that YUKASSA_SHOP_ID and YUKASSA_SECRET_KEY belong to each other and that the key was not replaced."
        )
        return error("payments.refused", cause, remedy, said=f"{trouble.http_status} {trouble.code}")
    cause = _("YooKassa cannot be asked: %(said)s.")
    remedy = _("Check the way out of this machine (DNS, firewall, proxy).")
    return error("payments.unreachable", cause, remedy, said=trouble.reason)


def _about(account: Account) -> Iterator[Finding]:
    if account.status != "enabled":
        cause = _("The shop %(shop)s at YooKassa is not enabled (%(status)s).")
        yield error(
            "payments.shop_disabled", cause, _("Ask YooKassa's support."), shop=account.id, status=account.status
        )
    if settings.SANDBOX:
        return
    if account.test:
        cause = _("The shop %(shop)s is a test shop: no money moves.")
        yield warning("payments.test_shop", cause, _("Use the id and the key of the real shop."), shop=account.id)
    if account.fiscalization and not settings.YUKASSA_VAT_CODE_GIVEN:
        cause = _("The shop makes fiscal receipts, and YUKASSA_VAT_CODE is not set: they say that there is no VAT.")
        remedy = _("Set YUKASSA_VAT_CODE (1 for no VAT) and, with several tax systems, YUKASSA_TAX_SYSTEM_CODE.")
        yield warning("payments.vat_not_said", cause, remedy)


def look_at_bookings() -> Iterator[Finding]:
    """The one right that is wanted and not needed; those that are needed are looked at with all others."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT has_table_privilege(c.oid, 'DELETE'), format('%I', current_user) FROM pg_class AS c
               JOIN pg_namespace AS ns ON ns.oid = c.relnamespace
               WHERE ns.nspname = 'public' AND c.relname = 'appointments'"""
        )
        for allowed, role in cursor.fetchall():
            if not allowed:
                cause = _("Our role may not delete from public.appointments, so a booking made twice stays double.")
                remedy = _("Let its owner (in Supabase: postgres) run: %(statement)s")
                statement = f"GRANT DELETE ON public.appointments TO {role};"
                yield warning("rights.no_delete", cause, remedy, statement=statement)


PROBES = (Probe("YooKassa", look_at_yookassa), Probe("bookings", look_at_bookings, asks_postgres=True))
