"""`Authorization: Bearer <access token of Supabase>` as DRF's authentication, and as OpenAPI describes it."""

import logging
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from balansity.api.access_tokens import NotConfigured, read_access_token
from balansity.api.exceptions import ServiceUnavailable
from balansity.api.refusals import TokenRefused, refusal_log
from balansity.api.signing_keys import KeysUnavailable
from balansity.api.supabase_http import SupabaseUnreachable
from balansity.api.throttles import address_of
from balansity.api.user import SupabaseUser
from bridge.bulkhead import called_by
from bridge.seldom import FewAnHour

logger = logging.getLogger(__name__)

# Anybody can send tokens by the thousand while Supabase is away.
_unasked = FewAnHour(60, then_every=100)


class SupabaseAuthentication(BaseAuthentication):
    """Sets `request.user` to a `SupabaseUser` and `request.auth` to the token.

    401 for a token that does not count, always with the same body; 503 when that cannot be told at the moment; 429
    for an address whose tokens made us ask Supabase too often.
    A request without a bearer token is left to the permissions of the view.
    """

    def authenticate(self, request: Request) -> tuple[SupabaseUser, str] | None:
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = token.strip(" ")
        try:
            user = read_access_token(token, address_of(request.META))
        except TokenRefused as error:
            refusal_log.refused(error)
            raise AuthenticationFailed from error
        except KeysUnavailable as error:
            raise ServiceUnavailable from error
        except SupabaseUnreachable as error:
            if (number := _unasked.tell("")) is not None:
                logger.warning("Supabase cannot be asked about an access token: %s%s", error, number)
            raise ServiceUnavailable from error
        except NotConfigured as error:
            refusal_log.nobody_can_sign_in()
            raise ServiceUnavailable from error
        refusal_log.accepted()
        called_by(str(user.id))
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class SupabaseBearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Beside the class that it describes: drf-spectacular knows an extension once its module is imported."""

    target_class = SupabaseAuthentication
    name = "supabase"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of a signed-in user of Supabase.",
        }
