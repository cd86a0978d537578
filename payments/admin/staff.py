"""Who is at work in the admin."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


def actor_id(request: HttpRequest) -> int:
    """The id that the timeline names the person by."""
    if request.user.pk is None:
        raise PermissionDenied
    return request.user.pk
