"""Settings of the reports: where they are kept, how long making one may take and how long its link in a mail works."""

from pathlib import Path
from typing import Any

from balansity.settings.environment import BASE_DIR, SANDBOX, env
from balansity.settings.supabase import SUPABASE_SERVICE_ROLE_KEY, SUPABASE_URL

_WHERE = "REPORTS_STORAGE=supabase needs it; REPORTS_STORAGE=local keeps reports in a folder instead"


def report_storage() -> dict[str, Any]:
    """Return the entry `reports` of Django's `STORAGES`.

    `REPORTS_STORAGE=auto` means Supabase where its address and service key are set, and the folder `REPORTS_DIR`
    otherwise; in the sandbox always the folder.
    """
    kind = env.choice("REPORTS_STORAGE", "auto", ("auto", "supabase", "local"))
    timeout = env.number("REPORTS_STORAGE_TIMEOUT", 20.0, least=0.1, most=300)
    if kind == "auto":
        kind = "supabase" if SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY and not SANDBOX else "local"
    if kind == "local":
        folder = Path(env.text("REPORTS_DIR", str(BASE_DIR / "files" / "reports"))).resolve()
        return {"BACKEND": "reports.storage.storage.LocalStorage", "OPTIONS": {"location": str(folder)}}
    env.required("SUPABASE_URL", _WHERE)
    env.required("SUPABASE_SERVICE_ROLE_KEY", _WHERE)
    return {
        "BACKEND": "reports.storage.supabase.SupabaseStorage",
        "OPTIONS": {
            "url": SUPABASE_URL,
            "service_key": SUPABASE_SERVICE_ROLE_KEY,
            "bucket": REPORTS_BUCKET,
            "connect_timeout": min(timeout, 5.0),
            "timeout": timeout,
        },
    }


REPORTS_BUCKET = env.text("REPORTS_BUCKET", "reports")
REPORT_LINK_DAYS = env.integer("REPORT_LINK_DAYS", 30, least=1, most=365)
REPORT_TASK_TIME_LIMIT = env.integer("REPORT_TASK_TIME_LIMIT", 120, least=1, most=3600)
MAX_REPORT_RETRY_ATTEMPTS = env.integer("MAX_REPORT_RETRY_ATTEMPTS", 3, most=100)
