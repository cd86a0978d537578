from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from bridge.queues import Queue, registry
from bridge.rights import register_need


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Payments")
    api_exception = "payments.api.problems.api_exception"

    def ready(self) -> None:
        # Models, and with them the journal, can only be imported once Django has loaded all apps.
        from bridge.breaker import register_service  # noqa: PLC0415
        from notifications.writing.catalogue import Thing  # noqa: PLC0415
        from notifications.writing.facts import tell_facts  # noqa: PLC0415
        from notifications.writing.sameness import tell_same_mails  # noqa: PLC0415
        from payments.checking.confirmations import give_and_name_booking  # noqa: PLC0415
        from payments.checking.unhandled import PaymentJournal  # noqa: PLC0415
        from payments.facts import facts_of_appointment, facts_of_payment  # noqa: PLC0415
        from payments.provider import YOOKASSA  # noqa: PLC0415
        from payments.queue import QUEUE  # noqa: PLC0415

        tell_same_mails("appointment_confirmation", give_and_name_booking)
        tell_facts(Thing.PAYMENT, facts_of_payment)
        tell_facts(Thing.APPOINTMENT, facts_of_appointment)

        registry.register(
            Queue(
                name=QUEUE,
                task="payments.process",
                celery_queue="payments",
                max_retries=settings.MAX_PAYMENT_RETRY_ATTEMPTS,
                time_limit=settings.PAYMENT_TASK_TIME_LIMIT,
                journal=PaymentJournal(),
                services=(YOOKASSA,),
            )
        )
        probe = "payments.doctor.look_at_account"
        register_service(YOOKASSA, label=_("YooKassa"), probe=probe, refused=("payments.refused",))
        register_need("public.payments", "SELECT", "INSERT", "UPDATE", queue=QUEUE)
        register_need("public.appointments", "SELECT", "INSERT", "UPDATE", queue=QUEUE)
        register_need("public.package_purchases", "SELECT", "INSERT", "UPDATE", queue=QUEUE)
        register_need("public.users", "SELECT", queue=QUEUE)
        register_need("public.profiles", "SELECT", queue=QUEUE)
        register_need("public.appointment_types", "SELECT", queue=QUEUE)
        register_need("public.packages", "SELECT", queue=QUEUE)
