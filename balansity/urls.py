from django.contrib import admin
from django.urls import include, path

from balansity.doctor.readiness import ready
from balansity.health import health
from balansity.metrics.page import metrics
from balansity.wayfinding import favicon, robots, to_admin
from staff.refusals import bad_request, forbidden, not_found, server_error

admin.autodiscover()

handler400, handler403, handler404, handler500 = bad_request, forbidden, not_found, server_error

urlpatterns = [
    path("", to_admin),
    path("health", health),
    path("favicon.ico", favicon),
    path("robots.txt", robots),
    path("health/ready", ready),
    path("metrics", metrics),
    path("admin/", admin.site.urls),
    path("api/", include("balansity.api.urls")),
    path("api/", include("notifications.urls")),
    path("api/", include("payments.urls")),
    path("api/", include("reports.urls")),
]
