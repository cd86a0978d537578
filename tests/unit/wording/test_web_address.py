"""One spelling for what is one address, and a reason for what is none."""

import unicodedata

import pytest

from wording.web_address import NotAnAddress, WebAddress, one_host, same_host

PUNYCODE = "https://xn--80aqu.xn--80aab4aapp6ak.xn--p1ai"


@pytest.mark.parametrize(
    "spelling",
    [
        "https://апи.балансити.рф",
        "https://апи.балансити.рф/",
        "HTTPS://АПИ.Балансити.РФ:443//",
        "https://апи。балансити。рф",
        "https://апи.балансити.рф.",
        "https://XN--80aqu.балансити.XN--P1AI:/",
        f" {PUNYCODE.upper()}:0443 ",
    ],
)
def test_a_cyrillic_address_is_one_in_every_spelling(spelling: str) -> None:
    assert str(WebAddress.parse(spelling)) == PUNYCODE


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        (unicodedata.normalize("NFD", "https://май.рф"), "https://xn--80ash.xn--p1ai"),
        ("http://Май.рф:80/Worker/", "http://xn--80ash.xn--p1ai/Worker"),
        ("https://май.рф:80", "https://xn--80ash.xn--p1ai:80"),
        # Browsers keep this letter, Python's own codec makes two of it.
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://a.example//services/./x/../worker//", "https://a.example/services/worker"),
        ("https://a.example/%d1%84/путь", "https://a.example/%D1%84/%D0%BF%D1%83%D1%82%D1%8C"),
        ("http://[2001:DB8:0:0::1]:80/", "http://[2001:db8::1]"),
        ("http://127.1:3001", "http://127.0.0.1:3001"),
        ("http://2130706433", "http://127.0.0.1"),
        # Between containers.
        ("http://supabase_kong_balansity:8000", "http://supabase_kong_balansity:8000"),
        ("http://localhost:5173", "http://localhost:5173"),
    ],
)
def test_other_spellings_come_to_the_one_of_browsers(spelling: str, address: str) -> None:
    assert str(WebAddress.parse(spelling)) == address
    assert str(WebAddress.parse(address)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[
            (text, "must be an address that starts with")
            for text in ("", "a.example", "//a.example", "https:/a", "https:a")
        ],
        *[(text, "must be an address that starts with") for text in ("ftp://a.example", "a.example:443", "*", "null")],
        *[
            (f"https://{host}", "has no name of a host")
            for host in ("", "/x", "*.a.example", "a..example", ".a.example")
        ],
        *[
            (f"https://{host}", "has no name of a host")
            for host in ("-a.example", "a,b", "<host>", "[::1", "[fe80::1%25eth0]")
        ],
        *[
            (f"https://{host}", "has no name of a host")
            for host in ("1.2.3.400", f"{'a' * 64}.example", "a." * 127 + "ru")
        ],
        *[(f"https://a.example:{port}", "has a port that is none") for port in ("0", "65536", "x", "-1", "٤٤٣")],
        *[(f"https://{user}@a.example", "carries a user or a password") for user in ("me", "me:geheim", "")],
        *[(f"https://a.example{rest}", "ends with ?… or #…") for rest in ("?", "/?a=b", "#", "/#/app")],
        *[
            (f"https://a.example{rest}", "has signs that stand in no address")
            for rest in ("/a b", "\\b", "/\tb", "/\u202e")
        ],
    ],
)
def test_what_is_none_is_told_by_what_is_wrong_and_never_repeated(text: str, reason: str) -> None:
    with pytest.raises(NotAnAddress, match=f"^{reason.replace('?', '[?]')}") as caught:
        WebAddress.parse(text)
    assert "geheim" not in str(caught.value)


def test_a_script_may_have_a_query_where_one_is_expected() -> None:
    address = WebAddress.parse("https://A.example/w.js?v=1", with_query=True)
    assert str(address) == "https://a.example/w.js?v=1"


def test_its_parts_are_those_of_headers() -> None:
    address = WebAddress.parse("http://[::1]:3001/worker/")
    assert (address.origin, address.netloc, address.bracketed) == ("http://[::1]:3001", "[::1]:3001", "[::1]")
    assert (address.host, address.port, address.path) == ("::1", 3001, "/worker")


@pytest.mark.parametrize(
    ("host", "one"), [("Почта.рф.", "xn--80a1acny.xn--p1ai"), ("[::1]", "::1"), ("MAIL.Example", "mail.example")]
)
def test_a_host_alone_is_one_too(host: str, one: str) -> None:
    assert one_host(host) == same_host(f" {host} ") == one


def test_what_is_no_host_is_like_itself_alone() -> None:
    assert same_host("Not A Host") == "not a host"
    with pytest.raises(NotAnAddress):
        one_host("mail.example:587")
