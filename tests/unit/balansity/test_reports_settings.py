"""Where reports are kept, as the variables say."""

from typing import Any

import pytest
from django.conf import settings

from balansity.env import ConfigurationError
from tests.support.loaded_settings import MAIL, load_settings

SUPABASE = {"SUPABASE_URL": "https://abc.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": "key"}


def storage(variables: dict[str, str], *, sandbox: bool = False) -> dict[str, Any]:
    entry: dict[str, Any] = load_settings({**MAIL, **variables}, sandbox=sandbox)["STORAGES"]["reports"]
    return entry


def test_supabase_keeps_reports_where_it_is_set_up() -> None:
    entry = storage(SUPABASE)
    assert entry["BACKEND"] == "reports.storage.supabase.SupabaseStorage"
    assert entry["OPTIONS"] == {
        "url": "https://abc.supabase.co",
        "service_key": "key",
        "bucket": "reports",
        "connect_timeout": 5.0,
        "timeout": 20.0,
    }


@pytest.mark.parametrize(
    ("sandbox", "variables"),
    [(False, {}), (False, {"SUPABASE_URL": SUPABASE["SUPABASE_URL"]}), (True, SUPABASE)],
    ids=["nothing set", "no key", "sandbox"],
)
def test_a_folder_keeps_them_otherwise(sandbox: bool, variables: dict[str, str]) -> None:
    entry = storage(variables, sandbox=sandbox)
    assert entry == {
        "BACKEND": "reports.storage.storage.LocalStorage",
        "OPTIONS": {"location": str(settings.BASE_DIR / "files/reports")},
    }


def test_both_can_be_asked_for_by_name() -> None:
    local = storage({**SUPABASE, "REPORTS_STORAGE": "local", "REPORTS_DIR": "/data"})
    assert local["OPTIONS"] == {"location": "/data"}
    stand_in = storage({**SUPABASE, "REPORTS_STORAGE": "supabase", "REPORTS_BUCKET": "b"}, sandbox=True)
    assert stand_in["OPTIONS"]["bucket"] == "b"


@pytest.mark.parametrize("missing", SUPABASE)
def test_supabase_without_an_address_or_a_key_stops_the_start(missing: str) -> None:
    variables = {name: value for name, value in SUPABASE.items() if name != missing}
    with pytest.raises(ConfigurationError, match=f"{missing} is not set"):
        storage({**variables, "REPORTS_STORAGE": "supabase"})


@pytest.mark.parametrize("name", ["REPORT_LINK_DAYS", "REPORT_TASK_TIME_LIMIT"])
@pytest.mark.parametrize("value", ["0", "abc", "100000"])
def test_limits_that_make_no_sense_stop_the_start(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load_settings({**MAIL, name: value})
