"""Where we listen, where we and the front end are reached, and what follows from it: hosts, origins, paths of cookies.

Every address is brought into the one spelling that browsers use where it is read, here and in the other modules. So
whoever compares two of them compares texts.
"""

import re

from balansity.env import EnvReader, is_bindable
from balansity.settings.environment import SANDBOX, env
from balansity.settings.private_address import is_private_host
from wording.web_address import NotAnAddress, WebAddress, one_host

# Where a health check, or a proxy that names the container, may reach the web process. No link is made of it.
_INNER_HOSTS = ("localhost", "127.0.0.1", "[::1]", "web")
# What a path of the address may be made of: URLs are reversed with it.
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
# Our own first steps. Behind a proxy that takes away such a path, ours begin in the same way.
_OUR_PATHS = frozenset({"/admin", "/api", "/health", "/static"})


def _base_url() -> str:
    default = f"http://localhost:{API_PORT}"
    url = env.web_address("API_BASE_URL", default)
    path = WebAddress.parse(url).path
    if not _PLAIN_PATH.fullmatch(path):
        env.problem("API_BASE_URL has a path of other signs than letters, digits and -: choose a plain one")
        return default
    if path in _OUR_PATHS:
        env.warning(
            f"API_BASE_URL ends with {path}, so the service is taken to lie under {path}{path}: "
            "write the address without it unless a proxy takes it away"
        )
    if SANDBOX:
        return url
    if not env.text("API_BASE_URL"):
        env.warning(
            f"API_BASE_URL is not set: links to reports in mails lead to {default}, where nobody finds them, and the "
            "admin's cookies go without TLS: put the public address there, like https://api.example.ru"
        )
    return _looked_at("API_BASE_URL", url, "logins of staff and links to reports")


def _front_ends() -> tuple[str, ...]:
    urls = env.web_addresses("FRONTEND_URL", "http://localhost:5173")
    if SANDBOX:
        return urls
    if not env.text("FRONTEND_URL"):
        env.warning(
            "FRONTEND_URL is not set: links in mails lead to http://localhost:5173, and no browser lets the front end "
            "call the API: put its address there, like https://example.ru"
        )
    if len(urls) > 1:
        env.warning(
            f"FRONTEND_URL names several addresses: links in mails lead to the first, {urls[0]}, and the front end may "
            "call the API from all of them"
        )
    return tuple(_looked_at("FRONTEND_URL", url, "sessions and payments of customers") for url in urls)


def _looked_at(name: str, url: str, what: str) -> str:
    address = WebAddress.parse(url)
    if address.scheme == "http" and not is_private_host(address.host):
        env.warning(
            f"{name} starts with http:// and leads through the internet, where everybody can read {what}: "
            "write https://"
        )
    return url


def read_hosts(env: EnvReader, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Names of hosts as Django compares them with `Host`: punycode, IPv6 in brackets, `.example.ru` for all below."""
    hosts = [_host(word) for word in env.words(name, default)]
    for word, host in zip(env.words(name, default), hosts, strict=True):
        if not host:
            env.problem(f"{name} must be names of hosts, like api.example.ru, not {word!r}")
    return tuple(filter(None, hosts))


def _host(word: str) -> str:
    """What `word` means as a host, also where somebody wrote an address or a port; nothing where it is none."""
    if word == "*":
        return word
    below = re.fullmatch(r"\*?(\.)(.+)", word)
    word = below[2] if below else word
    try:
        if "://" in word:
            host = WebAddress.parse(word).host
        elif word.count(":") == 1 or word.startswith("["):
            host = WebAddress.parse(f"https://{word}").host
        else:
            host = one_host(word)
    except NotAnAddress:
        return ""
    return f"[{host}]" if ":" in host else f".{host}" if below else host


def _allowed_hosts() -> list[str]:
    own = WebAddress.parse(API_BASE_URL).bracketed
    known = bool(env.text("API_BASE_URL")) and not SANDBOX
    hosts = read_hosts(env, "ALLOWED_HOSTS", (own, *_INNER_HOSTS) if known else ("*",))
    if known and not any(_holds(host, own) for host in hosts):
        env.warning(f"ALLOWED_HOSTS leaves out {own}, the host of API_BASE_URL: whoever calls it gets 400: add it")
    return list(dict.fromkeys(hosts))


def _holds(pattern: str, host: str) -> bool:
    return pattern in {"*", host} or (pattern.startswith(".") and f".{host}".endswith(pattern))


# Plain HTTP is for the proxy on this machine; the image, whose network is its own, says 0.0.0.0.
API_HOST = env.text("API_HOST", "127.0.0.1")
if not is_bindable(API_HOST):
    env.problem(f"API_HOST must be an address of this machine, like 127.0.0.1, 0.0.0.0 or ::1, not {API_HOST!r}")
API_PORT = env.integer("API_PORT", 3001, least=1, most=65535)
API_BASE_URL = _base_url()
_front_ends_of_ours = _front_ends()
# The first is where links lead.
FRONTEND_URL = _front_ends_of_ours[0]

ALLOWED_HOSTS = _allowed_hosts()
# For a proxy that passes on neither `Host` nor the scheme.
CSRF_TRUSTED_ORIGINS = [WebAddress.parse(API_BASE_URL).origin] if env.text("API_BASE_URL") else []
# Origins alone: browsers send no path.
CORS_ALLOWED_ORIGINS = list(dict.fromkeys(WebAddress.parse(url).origin for url in _front_ends_of_ours))

_path = WebAddress.parse(API_BASE_URL).path
# Of all addresses that are made here.
FORCE_SCRIPT_NAME = _path or None
# Whether requests arrive with it (balansity/behind_proxy.py).
PROXY_KEEPS_PATH = env.boolean("PROXY_KEEPS_PATH", False)
# Nothing else on that host, Supabase for one, gets the cookies of staff.
SESSION_COOKIE_PATH = f"{_path}/"
CSRF_COOKIE_PATH = f"{_path}/"
LANGUAGE_COOKIE_PATH = f"{_path}/"
STATIC_URL = f"{_path}/static/"
WHITENOISE_STATIC_PREFIX = "/static/"
