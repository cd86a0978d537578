"""Staff with an authenticator app: what it shows, and sessions that have given its code."""

import time
from collections.abc import Mapping

from django.contrib.sessions.models import Session
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from staff.second_factor import MARK


def mark_of(device: TOTPDevice, *, seconds_ago: float = 0) -> dict[str, float]:
    """What a session knows in which a code of `device` was given."""
    return {"device": device.pk, "at": time.time() - seconds_ago}


def prove(client: Client, device: TOTPDevice, *, seconds_ago: float = 0) -> None:
    """Let the session of `client`, which is logged in, have given a code."""
    row = Session.objects.get(pk=client.cookies["sessionid"].value)
    known: Mapping[str, object] = row.get_decoded()
    row.session_data = Session.objects.encode({**known, MARK: mark_of(device, seconds_ago=seconds_ago)})
    row.save()


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    """What the app of `device` shows now, or so many times thirty seconds later."""
    return f"{totp(device.bin_key, drift=steps):06}"
