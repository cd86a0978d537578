"""How the REST API is wired: who may call how often and from where, what calls look like, and the OpenAPI page."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from balansity.settings.addresses import API_BASE_URL, FORCE_SCRIPT_NAME
from balansity.settings.environment import SANDBOX, env


def _trusted_proxies() -> tuple[IPv4Network | IPv6Network, ...]:
    networks = []
    for word in env.words("TRUSTED_PROXIES"):
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError:
            env.problem(f"TRUSTED_PROXIES must be addresses or networks like 10.0.0.0/8, not {word!r}")
    if any(network.prefixlen == 0 for network in networks):
        env.warning(
            "TRUSTED_PROXIES holds the whole internet, so anybody may write an address of YooKassa's into "
            "X-Forwarded-For: name the proxies alone"
        )
    if not env.words("TRUSTED_PROXIES") and API_BASE_URL.startswith("https://") and not SANDBOX:
        env.warning(
            "TRUSTED_PROXIES is not set, and a proxy with TLS must stand in front of API_BASE_URL: everybody is one "
            "address to the limits, and YooKassa's notifications are refused: name the proxy there (docs/proxy.md)"
        )
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
# Calls a minute that one address may have refused: no token that counts, nothing at that address, not readable.
API_THROTTLE_REFUSED = env.integer("API_THROTTLE_REFUSED", 60, least=1)
# What other packages ask of a call that moves money.
API_MONEY_PERMISSIONS = (
    "rest_framework.permissions.IsAuthenticated",
    "balansity.api.live_session.RequiresLiveSession",
)

CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ("GET", "POST", "OPTIONS")
# A browser sends nothing at all when one header is not allowed, and none of these gives anybody a right. So: those of
# supabase-js and its parts, of tracing (Sentry, W3C, B3, Datadog, New Relic, Jaeger, Elastic, AWS, Google, Highlight,
# OpenReplay), and what other clients add by themselves.
CORS_ALLOW_HEADERS = (
    *("authorization", "content-type", "idempotency-key", "x-request-id"),
    *("apikey", "x-client-info", "x-supabase-api-version", "x-retry-count", "x-region", "prefer"),
    *("accept-profile", "content-profile"),
    *("sentry-trace", "baggage", "traceparent", "tracestate", "b3", "newrelic"),
    *("x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority"),
    *("x-datadog-tags", "x-newrelic-id", "uber-trace-id", "elastic-apm-traceparent", "x-amzn-trace-id"),
    *("x-cloud-trace-context", "x-highlight-request", "x-openreplay-sessiontoken"),
    *("accept", "accept-language", "dnt", "cache-control", "pragma", "x-requested-with"),
)
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
    # From the schema's own address, whichever host it was asked at.
    "SERVERS": [{"url": FORCE_SCRIPT_NAME}] if FORCE_SCRIPT_NAME else [],
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
