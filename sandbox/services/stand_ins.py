"""What production rents from YooKassa and Supabase, played on this machine: a till, and a place for reports."""

from pathlib import Path

import requests

from balansity.sandbox_keys import SANDBOX_JWT_SECRET
from sandbox.errors import SandboxError
from sandbox.services.storage import StorageService
from sandbox.services.yookassa import YooKassaService

WEBHOOK = "/api/webhook/yookassa"
DEFAULT_API_PORT = 3001
YOOKASSA_PAGE = "SANDBOX_YOOKASSA_URL"

# Whatever the terminal or .env names: real money and real families' reports have no business in a sandbox, and what
# happens in one is nothing to an alarm or a tracker of production.
NOT_SET_UP = {
    "YUKASSA_API_URL": "",
    "YUKASSA_SHOP_ID": "",
    "YUKASSA_SECRET_KEY": "",
    "SUPABASE_URL": "",
    "SUPABASE_SERVICE_ROLE_KEY": "",
    "SUPABASE_JWT_SECRET": SANDBOX_JWT_SECRET,
    "SUPABASE_JWT_ISSUER": "",
    "SUPABASE_SESSION_CHECK": "",
    "REPORTS_STORAGE": "local",
    "REPORTS_BUCKET": "",
    "HEARTBEAT_URL": "",
    "SENTRY_DSN": "",
}


class StandIns:
    """Processes in `folder`. The till sends its notifications to the API on `api_port`, or where it is told later."""

    def __init__(self, folder: Path, *, api_port: int = DEFAULT_API_PORT) -> None:
        self.yookassa = YooKassaService(folder, notify_url=webhook_url(api_port))
        self.storage = StorageService(folder)

    def environment(self) -> dict[str, str]:
        """How the settings find them; known once both have started."""
        return {
            "YUKASSA_API_URL": self.yookassa.api_url,
            "YUKASSA_SHOP_ID": self.yookassa.shop_id,
            "YUKASSA_SECRET_KEY": self.yookassa.secret_key,
            "YUKASSA_WIDGET_URL": self.yookassa.widget_url,
            YOOKASSA_PAGE: self.yookassa.page_url,
            "SUPABASE_URL": self.storage.url,
            "SUPABASE_SERVICE_ROLE_KEY": self.storage.service_key,
            "REPORTS_STORAGE": "supabase",
        }


def webhook_url(api_port: int) -> str:
    return f"http://127.0.0.1:{api_port}{WEBHOOK}"


def notify(page_url: str, api_port: int) -> None:
    """Let the running till at `page_url` send its notifications to the API on `api_port`. Raises `SandboxError`."""
    try:
        answer = requests.post(
            f"{page_url}sandbox/notifications", json={"urls": [webhook_url(api_port)]}, timeout=(3, 10)
        )
        answer.raise_for_status()
    except requests.RequestException as error:
        raise SandboxError(f"the sandbox's YooKassa does not answer: {error}") from error
