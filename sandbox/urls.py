"""The addresses of production, and the shop beside them. Only the settings of the sandbox name this module."""

from django.urls import include, path

from balansity.urls import urlpatterns as production

urlpatterns = [*production, path("demo/", include("sandbox.shop.urls"))]
