"""Settings of the reports: where they are kept, how long making one may take and how long its link in a mail works."""

from pathlib import Path
from typing import Any

from balansity.env import EnvReader

KINDS = ("auto", "supabase", "local")
WHERE = "REPORTS_STORAGE=supabase needs it; REPORTS_STORAGE=local keeps reports in a folder instead"


def report_settings(env: EnvReader) -> dict[str, Any]:
    """Return the settings of `reports` but for the storage. Problems go to `env`."""
    return {
        "REPORT_TASK_TIME_LIMIT": env.integer("REPORT_TASK_TIME_LIMIT", 120, least=1, most=3600),
        "REPORTS_BUCKET": env.text("REPORTS_BUCKET", "reports"),
        "REPORT_LINK_DAYS": env.integer("REPORT_LINK_DAYS", 30, least=1, most=365),
    }


def report_storage(env: EnvReader, *, sandbox: bool, base_dir: Path) -> dict[str, Any]:
    """Return the entry `reports` of Django's `STORAGES`. Problems go to `env`.

    `REPORTS_STORAGE=auto` means Supabase where its address and service key are set, and the folder `REPORTS_DIR`
    otherwise; in the sandbox always the folder.
    """
    kind = env.choice("REPORTS_STORAGE", "auto", KINDS)
    url = env.url("SUPABASE_URL", "", ("https", "http"))
    service_key = env.text("SUPABASE_SERVICE_ROLE_KEY")
    bucket = env.text("REPORTS_BUCKET", "reports")
    timeout = env.number("REPORTS_STORAGE_TIMEOUT", 20.0, least=0.1, most=300)
    if kind == "auto":
        kind = "supabase" if url and service_key and not sandbox else "local"
    if kind == "local":
        folder = Path(env.text("REPORTS_DIR", str(base_dir / "files" / "reports"))).resolve()
        return {"BACKEND": "reports.storage.storage.LocalStorage", "OPTIONS": {"location": str(folder)}}
    env.required("SUPABASE_URL", WHERE)
    env.required("SUPABASE_SERVICE_ROLE_KEY", WHERE)
    return {
        "BACKEND": "reports.storage.supabase.SupabaseStorage",
        "OPTIONS": {
            "url": url,
            "service_key": service_key,
            "bucket": bucket,
            "connect_timeout": min(timeout, 5.0),
            "timeout": timeout,
        },
    }
