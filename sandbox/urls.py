"""The addresses of production, and the shop beside them. Only the settings of the sandbox name this module."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path, reverse

from balansity.urls import handler400, handler403, handler404, handler500
from balansity.urls import urlpatterns as production

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


def to_shop(request: HttpRequest) -> HttpResponse:
    """`/`: what a newcomer wants to see first."""
    return HttpResponseRedirect(reverse("shop"))


urlpatterns = [path("", to_shop), *production, path("demo/", include("sandbox.shop.urls"))]
