"""Relative to `api/`."""

from django.urls import path

from notifications.tracking.view import receive_words

urlpatterns = [path("webhook/mail/<slug:provider>", receive_words, name="mail-webhook")]
