"""Relative to `api/`."""

from django.urls import path

from reports.api.views import ReportFileView, ReportsView, ReportView

urlpatterns = [
    path("reports", ReportsView.as_view(), name="reports"),
    path("reports/<uuid:report_id>", ReportView.as_view(), name="report"),
    path("reports/<uuid:report_id>/file", ReportFileView.as_view(), name="report-file"),
]
