from django.apps import AppConfig


class StaffConfig(AppConfig):
    """An app for its templates and styles."""

    name = "staff"
