"""How the REST API is wired: who may call how often and from where, what calls look like, and the OpenAPI page."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from balansity.settings.environment import env
from balansity.settings.web import FRONTEND_URL


def _trusted_proxies() -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for word in env.words("TRUSTED_PROXIES"):
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            env.problem(f"TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8, not {word!r}")
    return tuple(networks)


TRUSTED_PROXIES = _trusted_proxies()
# Requests a minute, by scope; a view names its scope as `throttle_scope`.
API_THROTTLES = {
    "default": env.integer("API_THROTTLE_DEFAULT", 120, least=1),
    "payments_create": env.integer("API_THROTTLE_CREATE", 10, least=1),
    "payments_verify": env.integer("API_THROTTLE_VERIFY", 60, least=1),
    "reports_create": env.integer("API_THROTTLE_REPORTS", 10, least=1),
    # Not a view: how often one user may make us ask Supabase about a session.
    "session_check": env.integer("API_THROTTLE_SESSION_CHECK", 60, least=1),
    # Nor this: how often one address may, about tokens that only Supabase can judge.
    "token_check": env.integer("API_THROTTLE_TOKEN_CHECK", 120, least=1),
}
# What other packages ask of a call that moves money.
API_MONEY_PERMISSIONS = (
    "rest_framework.permissions.IsAuthenticated",
    "balansity.api.live_session.RequiresLiveSession",
)

_front_end = urlsplit(FRONTEND_URL)
# The origin alone: browsers send neither a path nor a slash at the end.
CORS_ALLOWED_ORIGINS = [f"{_front_end.scheme}://{_front_end.netloc}"]
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ("GET", "POST", "OPTIONS")
CORS_ALLOW_HEADERS = ("authorization", "content-type", "idempotency-key", "x-request-id")
CORS_EXPOSE_HEADERS = ("x-request-id", "retry-after", "idempotency-replayed")
CORS_PREFLIGHT_MAX_AGE = 600

REST_FRAMEWORK = {
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

SPECTACULAR_SETTINGS = {
    "TITLE": "Balansity API",
    "DESCRIPTION": (
        "Payments and reports of Balansity (Little Otter). Calls carry an access token of Supabase; every error is a "
        "`Problem` (RFC 9457), and every answer has an `X-Request-ID`."
    ),
    "VERSION": "1.0.0",
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
