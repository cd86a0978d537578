from django.contrib import admin
from django.urls import include, path

from balansity.health import health
from staff.refusals import forbidden, not_found

admin.autodiscover()

handler403, handler404 = forbidden, not_found

urlpatterns = [
    path("health", health),
    path("admin/", admin.site.urls),
    path("api/", include("balansity.api.urls")),
    path("api/", include("payments.urls")),
    path("api/", include("reports.urls")),
]
