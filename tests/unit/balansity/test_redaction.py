import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from balansity import redaction
from balansity.env import ConfigurationError, EnvReader
from balansity.redaction import hide, redact
from tests.support.far_below import far_below
from tests.support.loaded_settings import MAIL, NEEDED, load_settings


@pytest.fixture(autouse=True)
def _own_secrets() -> Iterator[None]:
    """Whatever a test hides is shown again afterwards, and nothing is hidden before."""
    kept = list(redaction._known)
    hide([])
    yield
    redaction._known[:] = kept


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("to maria.ivanova@example.ru done", "to m***@example.ru done"),
        ("redis://:geheim@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("postgres://app:p%40ss@db.example:5432/x", "postgres://app:***@db.example:5432/x"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: ***"),
        ('{"password": "letmein", "user": "a"}', '{"password": "***", "user": "a"}'),
        ("SECRET_KEY=abcdef123", "SECRET_KEY=***"),
        ('to "maria ivanova"@example.ru', "to ***@example.ru"),
        ("to maria.ivanova!@example.ru", "to m***@example.ru"),
        ("to o'hara@example.ru", "to o***@example.ru"),
        ("SMTP_PASS=hunter22", "SMTP_PASS=***"),
        ("YUKASSA_SECRET_KEY=test_abc", "YUKASSA_SECRET_KEY=***"),
        ("key live_Fh8hUAVVBGUGbjmlzba6TB0iyUbos was refused", "key live_*** was refused"),
        ("key test_Fh8hUAVVBGUGbjmlzba6TB0iyUbos_lueTHE-axOwM0", "key test_***"),
        ("opens ct-287e0c37-000f-5000-8000-16961d35b0fd now", "opens ct-*** now"),
        ("apikey sb_secret_N7UND0UgjKTVK-Uodkm0Hg_xSvEMPvz", "apikey sb_secret_***"),
        ("header Basic MTIzNDU2OnRlc3Rfa2V5", "header Basic ***"),
        ("in test_the_worker_was_killed_and_came_back", "in test_the_worker_was_killed_and_came_back"),
        ("nothing to hide: 42 messages", "nothing to hide: 42 messages"),
        # Up to the last @ before the host.
        ("redis://:pa:ss@w0rd@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://default:p/a#s@w@r.example:6380", "rediss://default:***@r.example:6380"),
        ("postgres://u:p@ss@h, then", "postgres://u:***@h, then"),
        ("smtp+ssl://hello%40a.ru:p@ss:w@smtp.example:465", "smtp+ssl://h***%40a.ru:***@smtp.example:465"),
        ("https://shop:test_x@y@api.example/v3", "https://shop:***@api.example/v3"),
        # Keys of providers, by their form and by their name.
        ("key re_9vXKq3nB_2LrWmTzUe7dYc8sFhJ", "key re_***"),
        ("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", "SG.***"),
        ("X-API-KEY: 6ho3kt9wq5nd7y", "X-API-KEY: ***"),
        ("apikey=abc.def-ghi, url", "apikey=***, url"),
        ("serviceRoleKey... service_role_key=abcdef", "serviceRoleKey... service_role_key=***"),
        ("SUPABASE_JWT_SECRET=super-secret-jwt", "SUPABASE_JWT_SECRET=***"),
        ("Authorization: Basic MTIzNDU2OnRlc3Q= tail", "Authorization: ***"),
        ("{'Authorization': 'Bearer abc def', 'a': 1}", "{'Authorization': '***', 'a': 1}"),
        ("Proxy-Authorization: Token abc", "Proxy-Authorization: ***"),
        # What a browser carries.
        ("Cookie: sessionid=5gh2; csrftoken=k8s1", "Cookie: ***; csrftoken=***"),
        ("sessionid=5gh2k1", "sessionid=***"),
        ("csrfmiddlewaretoken=k8s1aa&username=anna", "csrfmiddlewaretoken=***&username=anna"),
        ("/file?token=1AbC:xyz-_ 200", "/file?token=*** 200"),
        ("next=%2Ffile%3Ftoken%3D1AbC", "next=%2Ffile%3Ftoken%3D***"),
        # Values with spaces, with quotes inside, cut off, in a text within a text.
        ('password: "correct horse battery"', 'password: "***"'),
        ("'password': 'correct horse'", "'password': '***'"),
        ('{"password": "a\\"b c", "user": "d"}', '{"password": "***", "user": "d"}'),
        ('{\\"password\\": \\"let me in\\", \\"a\\": 1}', '{\\"password\\": \\"***\\", \\"a\\": 1}'),
        ('{"accessToken": "abc def', '{"accessToken": "***"'),
        ("passphrase = letmein; retry", "passphrase = ***; retry"),
        ("refresh_token=v1.M2Yx", "refresh_token=***"),
        # People.
        ("root@localhost said", "r***@localhost said"),
        ("to anna@[10.0.0.1] now", "to a***@[10.0.0.1] now"),
        ("анна.иванова@почта.рф", "а***@почта.рф"),
        ("ivan@xn--80a1acny.xn--p1ai", "i***@xn--80a1acny.xn--p1ai"),
        ("GET /admin/?q=anna%40example.ru", "GET /a***%40example.ru"),
        ("call +7 900 123-45-67 or 8 (900) 123-45-67", "call +7*** or 8***"),
        ("phone 79001234567, +380441234567", "phone 7***, +3***"),
        # Nothing of these is anybody's.
        ("celery@web-1 ready", "celery@web-1 ready"),
        ("[2026-11-26 22:20:44 +0300] [4711]", "[2026-11-26 22:20:44 +0300] [4711]"),
        ("2d9f1234-000f-5000-8000-16961d35b0fd at 1764188444", "2d9f1234-000f-5000-8000-16961d35b0fd at 1764188444"),
        ("passed: 3 of 4, keys: 12, 100 tokens", "passed: 3 of 4, keys: 12, 100 tokens"),
        ("GET https://api.yookassa.ru/v3/payments/2d9f 200", "GET https://api.yookassa.ru/v3/payments/2d9f 200"),
    ],
)
def test_addresses_and_secrets_are_masked(line: str, expected: str) -> None:
    assert redact(line) == expected


# A match that is tried anew at each character of such a line takes ten minutes.
QUADRATIC_SECONDS = 60.0


def test_a_long_line_is_masked_in_no_time() -> None:
    with far_below(QUADRATIC_SECONDS, time.process_time):
        assert redact("a" * 100_000 + " anna@example.ru").endswith(" a***@example.ru")


def test_a_token_is_masked_wherever_it_stands() -> None:
    token = "eyJ" + "hbGciOiJIUzI1NiJ9" + "." + "eyJzdWIiOiIxIn0" + "." + "c2ln"
    assert token not in redact(f"got {token} from a client")


@pytest.mark.parametrize(
    "line",
    [
        *("a://:" * 20_000 + "@", 'password="' * 10_000, '"' * 50_000 + "@x", "+7 900 " * 15_000, "%40" * 30_000),
        *("a.b+" * 25_000 + "@", "Bearer " * 15_000, "=?" * 50_000 + "@", "authorization: " * 7_000, "eyJ" * 30_000),
    ],
    ids=lambda line: str(line)[:8],
)
def test_no_line_of_a_stranger_takes_long(line: str) -> None:
    with far_below(QUADRATIC_SECONDS, time.process_time):
        redact(line)


SECRETS = {
    "SECRET_KEY": "only-ours-0123456789-0123456789-0123456789",
    "SUPABASE_SERVICE_ROLE_KEY": "unheard/of+form=1",
    "SUPABASE_JWT_SECRET": "plain words with spaces and a length",
    "YUKASSA_SECRET_KEY": "no-prefix-at-all",
    "SMTP_PASS": "пароль с пробелом",
    "DATABASE_URL": "postgres://app:p%40ss%2Fw0rd@db.example:5432/postgres",
    "REDIS_URL": "redis://:geheimnis@redis.example:6379/0",
}


def test_what_the_settings_were_given_as_secret_stands_in_no_line() -> None:
    variables = {
        **MAIL,
        **SECRETS,
        "YUKASSA_SHOP_ID": "100500",
        "SMTP_USER": "hello",
        "SUPABASE_URL": "https://abc.supabase.co",
    }
    load_settings(variables)
    secrets = [value for name, value in SECRETS.items() if not name.endswith("URL")]
    for secret in (*secrets, "p%40ss%2Fw0rd", "p@ss/w0rd", "geheimnis"):
        assert redact(f"it said {secret}, twice: {secret}!") == "it said ***, twice: ***!"
    assert redact("https://x/?a=unheard%2Fof%2Bform%3D1") == "https://x/?a=***"


def test_every_variable_that_is_a_secret_by_its_name_is_one() -> None:
    names = ("RESEND_API_KEY", "SENDGRID_API_KEY", "UNISENDER_GO_API_KEY", "A_TOKEN", "PASSWORD")
    env = EnvReader({name: f"value-of-{name}" for name in (*names, "SMTP_USER", "KEYBOARD")})
    for name in (*names, "SMTP_USER", "KEYBOARD"):
        env.text(name)
    assert set(env.secrets()) == {f"value-of-{name}" for name in names}
    assert NEEDED["SECRET_KEY"] not in set(env.secrets())


def test_an_address_that_is_a_secret_stands_in_no_line() -> None:
    url = "https://hc-ping.com/5a1e0b6e-3f5c-4c0b-9a1e-0123456789ab"
    env = EnvReader({"HEARTBEAT_URL": f" {url} "})
    assert env.secret_address("HEARTBEAT_URL") == url
    hide(env.secrets())
    for line in (f"GET {url}", "host='hc-ping.com': /5a1e0b6e-3f5c-4c0b-9a1e-0123456789ab failed"):
        assert "5a1e0b6e" not in redact(line)
    pushed = EnvReader({"HEARTBEAT_URL": "https://up.example.org/api/push?id=abcdefgh1234"})
    pushed.secret_address("HEARTBEAT_URL")
    hide(pushed.secrets())
    assert "abcdefgh1234" not in redact("GET /api/push?id=abcdefgh1234 HTTP/1.1")


@pytest.mark.parametrize("value", ["hc-ping.com/5a1e0b6e", "ftp://hc-ping.com/5a1e0b6e", "https://"])
def test_what_is_no_address_is_told_without_it(value: str) -> None:
    env = EnvReader({"HEARTBEAT_URL": value})
    assert env.secret_address("HEARTBEAT_URL") == ""
    with pytest.raises(ConfigurationError) as told:
        env.finish()
    assert "5a1e0b6e" not in str(told.value)


def test_a_short_secret_takes_no_pieces_out_of_words() -> None:
    hide(["pass", "1234567", "a-secret-in-a-secret", "secret-in-a"])
    assert redact("the past passes in 1234567 ms") == "the past passes in 1234567 ms"
    assert redact("a-secret-in-a-secret") == "***"


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="\"'<>\\"), min_size=1, max_size=40)
)
def test_no_password_of_an_address_survives(password: str) -> None:
    shown = redact(f"cannot reach redis://user:{password}@redis.example:6379/0 now")
    assert shown == "cannot reach redis://user:***@redis.example:6379/0 now"


@example("@0")
@example("@Secret-of-82")
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), max_size=40))
def test_no_quoted_password_survives(password: str) -> None:
    assert redact(f'{{"password": "{password}", "user": "a"}}') == '{"password": "***", "user": "a"}'
