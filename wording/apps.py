from django.apps import AppConfig


class WordingConfig(AppConfig):
    """An app for its template filters alone."""

    name = "wording"
