from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.translation import gettext_lazy as _

from bridge.queues import Queue, Screen, registry
from bridge.rights import register_need
from bridge.trouble.explain import register_explainer


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Emails")

    def ready(self) -> None:
        # Models, and with them the journal, can only be imported once Django has loaded all apps.
        from bridge.breaker import register_service  # noqa: PLC0415
        from notifications.checks import check_templates  # noqa: PLC0415
        from notifications.mail_log import EmailJournal, note_refused  # noqa: PLC0415
        from notifications.queue import QUEUE  # noqa: PLC0415
        from notifications.screening import LEAST, judge  # noqa: PLC0415

        checks.register(check_templates)
        register_explainer("notifications.sending.troubles.explain")
        registry.register(
            Queue(
                name=QUEUE,
                task="notifications.send_email",
                celery_queue="email",
                max_retries=settings.MAX_EMAIL_RETRY_ATTEMPTS,
                time_limit=settings.EMAIL_TASK_TIME_LIMIT,
                journal=EmailJournal(),
                screen=Screen(judge=judge, note=note_refused, least=LEAST),
                services=() if settings.EMAIL_PROVIDER == "console" else (settings.EMAIL_PROVIDER,),
            )
        )
        if settings.EMAIL_PROVIDER != "console":
            register_service(
                settings.EMAIL_PROVIDER,
                label=_("Mail server") if settings.EMAIL_PROVIDER == "smtp" else settings.EMAIL_PROVIDER,
                probe="notifications.doctor.look_at_sending",
                refused=("mail.login_refused", "mail.sender_refused", "mail.key_refused", "mail.certificate"),
            )
        register_need("public.users", "SELECT", queue=QUEUE)
