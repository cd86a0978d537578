"""The address of Redis in one spelling that both of its clients take, and TLS that is worth its name.

Celery's client and redis-py read the same address by two vocabularies: to the first a bare `rediss://` means that any
certificate will do, and the second does not know Celery's own word `CERT_NONE`.
"""

import os
from urllib.parse import parse_qsl, urlencode, urlsplit

from balansity.env import EnvReader
from balansity.settings.private_address import is_private_host

_WORDS = {
    **dict.fromkeys(("required", "cert_required", "true", "1"), "required"),
    **dict.fromkeys(("optional", "cert_optional"), "optional"),
    **dict.fromkeys(("none", "cert_none", "false", "0"), "none"),
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS = ("ssl_cert_reqs", "ssl_check_hostname", *_FILES)
# Of Node's client, which asks whether to resolve names as IPv4 or IPv6: both of ours try both.
_FOREIGN = ("family",)


def redis_address(env: EnvReader, name: str) -> str:
    """Return the address in the variable `name` for both clients; problems and warnings are left with `env`.

    `rediss://` is verified unless the address says `ssl_cert_reqs=none`. The value is repeated in no message.
    """
    url = env.url(name, "", ("redis", "rediss", "unix"))
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if port == -1:
        env.problem(
            f"{name} must be an address like redis://:password@host:6379/0: "
            "write / : @ # and ? in the password as %2F %3A %40 %23 and %3F"
        )
        return ""
    if parts.scheme not in {"redis", "rediss"}:
        return url
    options = {key: value for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in _FOREIGN}
    if set(options) - set(_OPTIONS):
        env.problem(f"{name} has an option that is not known here; known are {', '.join(_OPTIONS)}")
        return ""
    if parts.scheme == "redis":
        return _plain(env, name, url, options)
    tls = _tls(env, name, options)
    return parts._replace(query=urlencode(tls)).geturl()


def _plain(env: EnvReader, name: str, url: str, options: dict[str, str]) -> str:
    if options:
        env.problem(f"{name} has options of TLS and begins with redis://: write rediss://")
    if not is_private_host(urlsplit(url).hostname or ""):
        env.warning(
            f"{name} leads through the internet without TLS, password and all: write rediss:// if the server offers it"
        )
    return urlsplit(url)._replace(query="").geturl()


def _tls(env: EnvReader, name: str, options: dict[str, str]) -> dict[str, str]:
    word = _WORDS.get(options.get("ssl_cert_reqs", "required").lower())
    if word is None:
        env.problem(f"{name}: ssl_cert_reqs must be required, optional or none")
        word = "required"
    checked = options.get("ssl_check_hostname", "true").lower()
    if checked not in {"true", "false"}:
        env.problem(f"{name}: ssl_check_hostname must be true or false")
    tls = {"ssl_cert_reqs": word}
    if checked == "false" and word != "none":
        tls["ssl_check_hostname"] = "false"
    for option in _FILES:
        if option in options:
            if not os.access(options[option], os.R_OK):
                env.problem(f"{name}: the file of {option} cannot be read by the user of this process")
            tls[option] = options[option]
    if word == "none":
        env.warning(f"{name} takes any certificate (ssl_cert_reqs=none): name the right one with ssl_ca_certs=FILE")
    return tls
