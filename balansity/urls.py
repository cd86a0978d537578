from django.contrib import admin
from django.urls import path

from balansity.health import health

urlpatterns = [
    path("health", health),
    path("admin/", admin.site.urls),
]
