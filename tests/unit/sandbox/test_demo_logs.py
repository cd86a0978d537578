"""The demo's search of its logs, and what stays of them."""

from pathlib import Path

import pytest

from sandbox.demo.environment import secrets_in
from sandbox.demo.families import OLEG
from sandbox.demo.findings import exit_code
from sandbox.demo.keepsakes import keep_results
from sandbox.demo.log_search import LogFindings, search_logs
from sandbox.services.state import State
from sandbox.tokens import access_token

ENVIRONMENT = {
    "YUKASSA_SHOP_ID": "100500",
    "YUKASSA_SECRET_KEY": "test_Zk3vQp0s",
    "SUPABASE_JWT_SECRET": "a secret of the issuer",
    "SUPABASE_SERVICE_ROLE_KEY": "a key that may do everything",
    "DATABASE_URL": "postgres://owner:p%40ssword@127.0.0.1:5432/demo",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}
SECRETS = secrets_in(ENVIRONMENT)


def searched(folder: Path, line: str) -> LogFindings:
    """What is found when this is the second of two lines."""
    (folder / "logs").mkdir()
    (folder / "web.log").write_text("started\n", encoding="utf-8")
    (folder / "logs" / "out.log").write_text(f"m***@demo.example: sent\n{line}\n", encoding="utf-8")
    return search_logs(folder, SECRETS, required=("web.log", "logs/out.log"))


@pytest.mark.parametrize("line", ["POST /api/payments/create 200", "Basic ***", "Bearer ***", "test_ mode, ct- token"])
def test_clean_logs_pass(tmp_path: Path, line: str) -> None:
    findings = searched(tmp_path, line)

    assert findings.differences == []
    assert findings.lines == 3
    assert exit_code(findings) == 0
    assert [path.name for path in tmp_path.glob("*.log")] == ["web.log"], "the planted file is gone"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("key=test_Zk3vQp0s", "the shop's secret key"),
        ("header MTAwNTAwOnRlc3RfWmszdlFwMHM=", "the shop's id and key, encoded"),
        ("a secret of the issuer", "Supabase's JWT secret"),
        ("apikey: a key that may do everything", "Supabase's service key"),
        ("connects with p@ssword", "the database's password"),
        (f"user {access_token('6f1c0a52-0000-4000-8000-000000000001')}", "an access token"),
        ("{'confirmation_token': 'ct-2e1b7c3d-000f'}", "the token of a payment form"),
        ("{'authorization': '***'}", "an Authorization header"),
        ("basic dXNlcjpwYXNzd29yZA==", "credentials"),
        (f"to {OLEG.email}", "somebody's e-mail address"),
    ],
)
def test_a_leak_is_named_by_place_and_kind_and_fails_the_demo(tmp_path: Path, line: str, kind: str) -> None:
    findings = searched(tmp_path, line)

    assert f"logs/out.log, line 2: {kind}" in findings.leaks
    assert line not in str(findings.differences), "the complaint is no leak itself"
    assert exit_code(findings) == 1


def test_a_server_without_a_password_has_none_to_search_for() -> None:
    assert "the broker's password" not in SECRETS
    assert all(SECRETS.values())


def test_a_missing_log_fails_the_demo(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("started\n", encoding="utf-8")

    findings = search_logs(tmp_path, SECRETS, required=("web.log", "bridge.log"))

    assert findings.differences == ["there is no bridge.log to search"]


def test_a_search_that_misses_what_was_planted_fails_the_demo(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("started\n", encoding="utf-8")

    # No line can hold a line break, so the search is blind for this one.
    findings = search_logs(tmp_path, {"a key": "two\nlines"}, required=())

    assert findings.differences == ["the search of the logs does not find a key where it was planted"]


def test_no_logs_prove_nothing(tmp_path: Path) -> None:
    assert exit_code(search_logs(tmp_path, SECRETS, required=())) == 1


@pytest.mark.parametrize(("logs", "kept"), [(True, {"mail", "reports", "logs"}), (False, {"mail", "reports"})])
def test_mails_reports_and_logs_stay_and_nothing_else(tmp_path: Path, logs: bool, kept: set[str]) -> None:
    state = State("demo", tmp_path)
    for name in ("mail/1.eml", "reports/a.pdf", "logs/out.log", "web.log", "postgres/data", "admin.password"):
        (state.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (state.folder / name).touch()

    keep_results(state, logs=logs)

    assert {path.name for path in state.folder.iterdir()} == kept
    assert not logs or {path.name for path in (state.folder / "logs").iterdir()} == {"out.log", "web.log"}
    assert not state.is_held()
