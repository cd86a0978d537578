from django.contrib import admin
from django.urls import include, path

from balansity.health import health

admin.autodiscover()

urlpatterns = [
    path("health", health),
    path("admin/", admin.site.urls),
    path("api/", include("balansity.api.urls")),
    path("api/", include("payments.urls")),
    path("api/", include("reports.urls")),
]
