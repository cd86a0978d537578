"""Wiring of the Balansity back office: settings, Celery, logs, URLs."""

from balansity.celery import app as celery_app

__all__ = ["celery_app"]
