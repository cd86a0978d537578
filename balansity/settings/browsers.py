"""What browsers are told to keep to: where a page may get anything from, and that this host speaks TLS alone."""

from balansity.settings.addresses import API_BASE_URL

_HTTPS = API_BASE_URL.startswith("https://")

# Nothing inline and nothing of anybody else's: what got through the escaping of a page would be dead text. A page that
# needs more says so itself, by a decorator of django-csp or with a header of its own.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        # The preview of a mail within its page.
        "frame-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
# For browsers that know no `frame-ancestors`. What our own pages frame says so itself.
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
# Searches of the admin carry addresses of families, and links to reports a token.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# A year. Only answers over TLS carry it, which the proxy in front tells of.
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_HSTS_PRELOAD = False
SILENCED_SYSTEM_CHECKS = [
    # Of the names below ours we know nothing: one of them may have no certificate, and would be gone for a year.
    "security.W005",
    "security.W021",
    # The proxy sends http:// to https://. Here it would send away the health check as well, which asks this process.
    "security.W008",
]
