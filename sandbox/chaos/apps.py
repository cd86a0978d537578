from django.apps import AppConfig
from django.conf import settings

from sandbox.chaos.doubles import take_away


class ChaosConfig(AppConfig):
    """Only in processes that are told to run without a protection."""

    name = "sandbox.chaos"
    label = "chaos"

    def ready(self) -> None:
        take_away(getattr(settings, "CHAOS_WITHOUT", ""))
