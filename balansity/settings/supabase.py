"""Supabase: where it is, our key for it, and by what the tokens of its users are known."""

from balansity import sandbox_keys
from balansity.settings.environment import SANDBOX, env
from balansity.settings.private_address import is_private_host
from balansity.settings.weak_secrets import why_guessable
from wording.web_address import NotAnAddress, WebAddress

_SHORTEST_JWT_SECRET = 32
# Of one of its services, as Supabase's pages show them as well.
_SERVICES = ("/auth/v1", "/rest/v1", "/storage/v1", "/functions/v1", "/graphql/v1", "/realtime/v1")


def _url() -> str:
    url = env.web_address("SUPABASE_URL", "")
    for service in _SERVICES:
        url = url.removesuffix(service)
    if url.startswith("http://") and not SANDBOX:
        what = "the service key and the keys that sign customers' tokens"
        if is_private_host(WebAddress.parse(url).host):
            env.warning(f"SUPABASE_URL starts with http://, so everybody in that network can read {what}")
        else:
            env.problem(f"SUPABASE_URL must start with https://: {what} would cross the internet for everybody to read")
    return url


def _jwt_secret() -> str:
    secret = env.verbatim("SUPABASE_JWT_SECRET")
    if secret and len(secret) < _SHORTEST_JWT_SECRET:
        env.problem(f"SUPABASE_JWT_SECRET is shorter than {_SHORTEST_JWT_SECRET} characters: copy the one of Supabase")
    if secret == sandbox_keys.SANDBOX_JWT_SECRET and not SANDBOX:
        env.problem("SUPABASE_JWT_SECRET is the one of the sandbox: copy the one of Supabase, or leave it empty")
    elif secret and not SANDBOX and (why := why_guessable(secret)):
        env.warning(
            f"SUPABASE_JWT_SECRET {why}: whoever knows the example signs in as any customer: change it in Supabase"
        )
    return secret or (sandbox_keys.SANDBOX_JWT_SECRET if SANDBOX else "")


def _usual_issuers() -> tuple[str, ...]:
    """Hosted ones name the path, self-hosted ones the address alone or nothing."""
    ours = (sandbox_keys.SANDBOX_JWT_ISSUER,) if SANDBOX else ()
    return (*ours, SUPABASE_URL, f"{SUPABASE_URL}/auth/v1") if SUPABASE_URL else ours


def _other_issuers() -> tuple[str, ...]:
    return tuple(_one_issuer(word) for word in env.words("SUPABASE_JWT_ISSUER"))


def _one_issuer(issuer: str) -> str:
    """A name that is no address stays as it is: tokens may be compared with anything."""
    try:
        return str(WebAddress.parse(issuer))
    except NotAnAddress:
        return issuer


SUPABASE_URL = _url()
SUPABASE_SERVICE_ROLE_KEY = env.key("SUPABASE_SERVICE_ROLE_KEY")
SUPABASE_JWT_SECRET = _jwt_secret()
# Supabase is often reached at an inner address, while its tokens name the public one: that is what the variable adds.
SUPABASE_JWT_ISSUERS = (*_usual_issuers(), *_other_issuers())
SUPABASE_SESSION_CHECK = env.boolean("SUPABASE_SESSION_CHECK", False)
if SUPABASE_SESSION_CHECK and not (SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY):
    env.problem("SUPABASE_SESSION_CHECK needs SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY: set both, or turn it off")
