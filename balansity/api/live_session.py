"""Whether a session still stands, for calls that move money: a token outlives a sign-out by up to an hour."""

import logging

from django.conf import settings
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from balansity.api.auth_server import ask_for_user, room_to_ask
from balansity.api.exceptions import ServiceUnavailable
from balansity.api.supabase_http import SupabaseUnreachable
from balansity.api.throttles import caller_of, count_request
from balansity.api.user import SupabaseUser

logger = logging.getLogger(__name__)


class RequiresLiveSession(BasePermission):
    """Asks Supabase about the caller's token when `SUPABASE_SESSION_CHECK` is on; allows everybody when it is off.

    401 when the session is gone, 503 when Supabase does not say. Staff with a session of Django are not asked about.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: object = request.user
        if not settings.SUPABASE_SESSION_CHECK or not isinstance(user, SupabaseUser):
            return True
        # DRF looks at throttles after permissions, so nothing else limits how often we ask.
        wait = count_request("session_check", caller_of(request))
        if wait is not None:
            raise Throttled(wait=wait)
        _check_session(user, str(request.auth))
        return True


def _check_session(user: SupabaseUser, token: str) -> None:
    try:
        with room_to_ask():
            found = ask_for_user(token)
    except SupabaseUnreachable as error:
        logger.warning("the session of user %s cannot be checked: %s", user.id, error)
        raise ServiceUnavailable from error
    if found is None or found.get("id") != str(user.id):
        logger.info("the session of user %s is gone", user.id)
        raise AuthenticationFailed
