"""How the REST API is wired: Supabase's tokens, throttles, CORS and the OpenAPI page, from variables to settings."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from balansity.env import EnvReader
from balansity.sandbox_keys import SANDBOX_JWT_ISSUER, SANDBOX_JWT_SECRET
from balansity.settings.private_address import is_private_host

SHORTEST_JWT_SECRET = 32

API_VERSION = "1.0.0"

# In this order and before everything else: an answer of whichever part carries the request id, and is logged with it.
API_MIDDLEWARE = [
    "balansity.api.request_id.RequestIdMiddleware",
    "balansity.api.client_address.ClientAddressMiddleware",
    "balansity.api.boundary.ApiBoundaryMiddleware",
    "corsheaders.middleware.CorsMiddleware",
]
API_APPS = ["corsheaders", "rest_framework", "drf_spectacular", "drf_spectacular_sidecar"]


def api_settings(env: EnvReader, *, sandbox: bool) -> dict[str, Any]:
    """Return the settings of DRF, drf-spectacular and CORS, and ours; problems are left with `env`.

    Ours, for other packages to read: `API_MONEY_PERMISSIONS`, dotted paths of the permissions for a call that moves
    money; `API_THROTTLES`, requests a minute by scope. A view names its scope as `throttle_scope`.
    """
    return {
        **_supabase(env, sandbox=sandbox),
        "TRUSTED_PROXIES": _networks(env),
        "API_THROTTLES": {
            "default": env.integer("API_THROTTLE_DEFAULT", 120, least=1),
            "payments_create": env.integer("API_THROTTLE_CREATE", 10, least=1),
            "payments_verify": env.integer("API_THROTTLE_VERIFY", 60, least=1),
            "reports_create": env.integer("API_THROTTLE_REPORTS", 10, least=1),
            # Not a view: how often one user may make us ask Supabase about a session.
            "session_check": env.integer("API_THROTTLE_SESSION_CHECK", 60, least=1),
            # Nor this: how often one address may, about tokens that only Supabase can judge.
            "token_check": env.integer("API_THROTTLE_TOKEN_CHECK", 120, least=1),
        },
        "API_MONEY_PERMISSIONS": (
            "rest_framework.permissions.IsAuthenticated",
            "balansity.api.live_session.RequiresLiveSession",
        ),
        "DATA_UPLOAD_MAX_MEMORY_SIZE": 1024 * 1024,
        "REST_FRAMEWORK": _REST_FRAMEWORK,
        "SPECTACULAR_SETTINGS": _SPECTACULAR,
        **_cors(env),
    }


def _supabase(env: EnvReader, *, sandbox: bool) -> dict[str, Any]:
    url = env.url("SUPABASE_URL", "", ("https", "http")).rstrip("/")
    if url.startswith("http://") and not sandbox:
        _look_at_plain(urlsplit(url).hostname or "", env)
    key = env.text("SUPABASE_SERVICE_ROLE_KEY")
    secret = env.verbatim("SUPABASE_JWT_SECRET")
    if secret and len(secret) < SHORTEST_JWT_SECRET:
        env.problem(f"SUPABASE_JWT_SECRET is shorter than {SHORTEST_JWT_SECRET} characters: copy the one of Supabase")
    if secret == SANDBOX_JWT_SECRET and not sandbox:
        env.problem("SUPABASE_JWT_SECRET is the one of the sandbox: copy the one of Supabase, or leave it empty")
    if sandbox and not secret:
        secret = SANDBOX_JWT_SECRET
    check = env.boolean("SUPABASE_SESSION_CHECK", False)
    if check and not (url and key):
        env.problem("SUPABASE_SESSION_CHECK needs SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY: set both, or turn it off")
    # Hosted ones name the path, self-hosted ones the address alone or nothing. They are often reached at an inner
    # address, while their tokens name the public one: that is what SUPABASE_JWT_ISSUER adds.
    usual = (*((SANDBOX_JWT_ISSUER,) if sandbox else ()), *((url, f"{url}/auth/v1") if url else ()))
    return {
        "SUPABASE_URL": url,
        "SUPABASE_SERVICE_ROLE_KEY": key,
        "SUPABASE_JWT_SECRET": secret,
        "SUPABASE_JWT_ISSUERS": (*usual, *env.words("SUPABASE_JWT_ISSUER")),
        "SUPABASE_SESSION_CHECK": check,
    }


def _look_at_plain(host: str, env: EnvReader) -> None:
    what = "the service key and the keys that sign customers' tokens"
    if is_private_host(host):
        env.warning(f"SUPABASE_URL starts with http://, so everybody in that network can read {what}")
    else:
        env.problem(f"SUPABASE_URL must start with https://: {what} would cross the internet for everybody to read")


def _networks(env: EnvReader) -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for word in env.words("TRUSTED_PROXIES"):
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            env.problem(f"TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8, not {word!r}")
    return tuple(networks)


def _cors(env: EnvReader) -> dict[str, Any]:
    parts = urlsplit(env.url("FRONTEND_URL", "http://localhost:5173", ("http", "https")))
    return {
        # The origin alone: browsers send neither a path nor a slash at the end.
        "CORS_ALLOWED_ORIGINS": [f"{parts.scheme}://{parts.netloc}"],
        "CORS_URLS_REGEX": r"^/api/",
        "CORS_ALLOW_METHODS": ("GET", "POST", "OPTIONS"),
        "CORS_ALLOW_HEADERS": ("authorization", "content-type", "idempotency-key", "x-request-id"),
        "CORS_EXPOSE_HEADERS": ("x-request-id", "retry-after", "idempotency-replayed"),
        "CORS_PREFLIGHT_MAX_AGE": 600,
    }


_REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["balansity.api.authentication.SupabaseAuthentication"],
    # Closed unless a view opens itself.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["balansity.api.throttles.RequestThrottle"],
    "DEFAULT_PARSER_CLASSES": ["balansity.api.parsers.DecimalJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "balansity.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "balansity.api.exception_handler.answer_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

_SPECTACULAR = {
    "TITLE": "Balansity API",
    "DESCRIPTION": (
        "Payments and reports of Balansity (Little Otter). Calls carry an access token of Supabase; every error is a "
        "`Problem` (RFC 9457), and every answer has an `X-Request-ID`."
    ),
    "VERSION": API_VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    # Each of them calls its member `status`.
    "ENUM_NAME_OVERRIDES": {
        "PaymentStatus": "payments.states.PaymentStatus",
        "RefundStatus": "payments.states.RefundStatus",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "balansity.api.schema.document_problems",
    ],
    # From our own static files. Without the third the page fetches its icon from a CDN, and without `validatorUrl` it
    # sends the address of the schema to swagger.io.
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "validatorUrl": None},
}
