from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.utils.translation import gettext_lazy as _

from bridge.queues import Queue, registry
from bridge.rights import register_need
from notifications.writing.links import register_report_links


class ReportsConfig(AppConfig):
    name = "reports"
    verbose_name = _("Reports")
    api_exception = "reports.api.problems.api_exception"

    def ready(self) -> None:
        # Models, and with them the journal, can only be imported once Django has loaded all apps.
        from bridge.breaker import register_service  # noqa: PLC0415
        from reports.document.checks import check_weasyprint  # noqa: PLC0415
        from reports.making.outcomes import ReportJournal  # noqa: PLC0415
        from reports.queue import QUEUE  # noqa: PLC0415
        from reports.storage.links import make_recipients_link  # noqa: PLC0415
        from reports.storage.storage import STORAGE  # noqa: PLC0415

        register_report_links(make_recipients_link)
        checks.register(check_weasyprint)
        registry.register(
            Queue(
                name=QUEUE,
                task="reports.generate_report",
                celery_queue="reports",
                max_retries=settings.MAX_REPORT_RETRY_ATTEMPTS,
                time_limit=settings.REPORT_TASK_TIME_LIMIT,
                journal=ReportJournal(),
                services=(STORAGE,),
            )
        )
        refused = ("supabase.key_refused", "reports.no_bucket", "reports.folder")
        label, probe = _("Storage of reports"), "reports.doctor.look_at_storing"
        register_service(STORAGE, label=label, probe=probe, refused=refused)
        register_need("public.assessments", "SELECT", queue=QUEUE)
        register_need("public.profiles", "SELECT", queue=QUEUE)
        register_need("public.users", "SELECT", queue=QUEUE)
