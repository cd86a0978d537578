"""Who of the staff is told by mail what needs somebody, and who may tell us what became of a mail."""

import base64

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from balansity.settings.environment import SANDBOX, env
from balansity.settings.mail import EMAIL_PROVIDER
from wording.web_address import NotAnAddress, one_host

_MOST_STAFF = 20
_LEAST_OCTETS = 16
# What a provider proves itself with; the others have no webhook, or need nothing more than their key.
_WANTED = {
    "resend": "the signing secret of the webhook at Resend, which begins with whsec_",
    "sendgrid": "the verification key of the Event Webhook at SendGrid, one line without its frame",
}


def _staff() -> tuple[str, ...]:
    """Bare addresses, each once, their domains as every mail server takes them."""
    found: dict[str, None] = {}
    for word in env.words("STAFF_DIGEST_TO"):
        local, _, domain = word.rpartition("@")
        try:
            address = f"{local}@{one_host(domain)}"
            validate_email(address)
        except (NotAnAddress, ValidationError):
            env.problem(f"STAFF_DIGEST_TO must be bare mail addresses with commas between them, not {word!r}")
        else:
            found[address.lower()] = None
    if len(found) > _MOST_STAFF:
        env.problem(f"STAFF_DIGEST_TO names more than {_MOST_STAFF} addresses: use one address that a group reads")
    return tuple(found)


def _webhook_secret() -> str:
    secret = env.key("EMAIL_WEBHOOK_SECRET")
    wanted = _WANTED.get(EMAIL_PROVIDER)
    if wanted is None:
        return ""
    if not secret:
        if not SANDBOX:
            env.warning(
                f"EMAIL_WEBHOOK_SECRET is not set, so nobody learns which mails did not arrive: set up the webhook of "
                f"{EMAIL_PROVIDER} (docs/operations.md, Bounces)"
            )
        return ""
    # The value is not repeated.
    name, has_password, password = secret.partition(":")
    if has_password:
        if not name or len(password) < _LEAST_OCTETS:
            env.problem(
                f"EMAIL_WEBHOOK_SECRET must be a name, a colon and a password of at least {_LEAST_OCTETS} characters"
            )
        return secret
    if not (_is_svix(secret) if EMAIL_PROVIDER == "resend" else _is_public_key(secret)):
        env.problem(f"EMAIL_WEBHOOK_SECRET must be {wanted}, or name:password")
    return secret


def _is_svix(secret: str) -> bool:
    try:
        return secret.startswith("whsec_") and len(base64.b64decode(secret[6:], validate=True)) >= _LEAST_OCTETS
    except ValueError:
        return False


def _is_public_key(secret: str) -> bool:
    # Here and not above: 12 MB that each process would hold, and only one kind of key wants.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        key = load_der_public_key(base64.b64decode(secret, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(key, EllipticCurvePublicKey)


# A digest at eight, and at once what cannot wait. Nobody is told anything where it is empty.
STAFF_DIGEST_TO = _staff()
# What proves that a call about our mails comes from the provider.
EMAIL_WEBHOOK_SECRET = _webhook_secret()
