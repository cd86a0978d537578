"""What a sandbox says to our processes, whatever the terminal or `.env` names."""

from sandbox.dev.up import metrics_token
from sandbox.services.stand_ins import NOT_SET_UP
from tests.support.loaded_settings import MAIL, load_settings

OF_PRODUCTION = {
    "HEARTBEAT_URL": "https://hc-ping.example/3f0c1d2e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
    "SENTRY_DSN": "https://0123456789abcdef@tracker.example/7",
    "SUPABASE_URL": "https://abcdefghij.supabase.co",
    "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_0123456789abcdefghij",
    "YUKASSA_SHOP_ID": "123456",
    "YUKASSA_SECRET_KEY": "live_0123456789abcdefghijklmnop",
}


def test_a_sandbox_calls_no_alarm_tracker_storage_or_till_of_production() -> None:
    loaded = load_settings({**MAIL, **OF_PRODUCTION, **NOT_SET_UP}, sandbox=True)
    assert {name: loaded[name] for name in OF_PRODUCTION if loaded.get(name)} == {}
    assert set(OF_PRODUCTION) <= set(loaded)


def test_the_development_server_has_metrics_with_the_token_of_the_terminal_or_its_own() -> None:
    own = metrics_token({"METRICS_TOKEN": ""})
    assert load_settings({"METRICS_TOKEN": own}, sandbox=True)["METRICS_TOKEN"] == own
    assert metrics_token({"METRICS_TOKEN": own}) == own
