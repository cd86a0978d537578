"""The addresses of production, and the shop beside them. Only the settings of the sandbox name this module."""

from django.urls import include, path

from balansity.urls import handler403, handler404
from balansity.urls import urlpatterns as production

__all__ = ["handler403", "handler404", "urlpatterns"]

urlpatterns = [*production, path("demo/", include("sandbox.shop.urls"))]
