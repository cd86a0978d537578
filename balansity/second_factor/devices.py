"""The authenticator of a person: set up, asked, taken away. One each, of django-otp (RFC 6238, without any network)."""

import math
from binascii import unhexlify
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from balansity.second_factor import recovery

DIGITS = 6
# The code before and the one after count as well: clocks differ, and people type slowly. What a phone is off by is
# learnt with each code.
TOLERANCE = 1
# After a wrong code the next counts 1, 2, 4 … seconds later. Whoever knows the password could else keep its owner out
# for days; that of the door, twenty an hour, holds as well.
_MOST_DOUBLINGS = 9


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a code: right for `device`, or to be repeated after `seconds`, or wrong."""

    device: int | None = None
    seconds: int = 0
    by_recovery: bool = False

    @property
    def is_right(self) -> bool:
        return self.device is not None


def tidied(typed: str) -> str:
    """A code as it is compared: people copy the spaces and hyphens that it is shown with."""
    return "".join(character for character in typed if character.isalnum()).lower()


def matches(key: str, typed: str) -> bool:
    """Whether an app that was given the secret `key` shows this code now. Nothing remembers that it was asked."""
    code = tidied(typed)
    return _is_code(code) and bool(TOTP(unhexlify(key.encode()), digits=DIGITS).verify(int(code), TOLERANCE))


def check(user: Any, typed: str) -> Checked:
    """Take a code of the person's app, or one of their recovery codes. Each counts once."""
    code = tidied(typed)
    with transaction.atomic():
        # Two requests with one code: the second sees what the first has written.
        device = TOTPDevice.objects.select_for_update().filter(user_id=user.pk, confirmed=True).first()
        if device is None:
            return Checked()
        if recovery.looks_like_one(code):
            return Checked(device.pk, by_recovery=True) if recovery.use(user, code) else Checked()
        is_allowed, why = device.verify_is_allowed()
        if not is_allowed:
            return Checked(seconds=math.ceil((why["locked_until"] - timezone.now()).total_seconds()))
        if _is_code(code) and device.verify_token(code):
            return Checked(device.pk)
        if not _is_code(code):
            device.throttle_increment(commit=True)
        if device.throttling_failure_count > _MOST_DOUBLINGS:
            device.throttling_failure_count = _MOST_DOUBLINGS
            device.save(update_fields=["throttling_failure_count"])
        return Checked()


def set_up(user: Any, key: str, typed: str) -> tuple[int, list[str]] | None:
    """Make this the person's app, in place of another, with new recovery codes; `None` for a wrong code.

    Sessions that have given a code of another app end by it.
    """
    code = tidied(typed)
    with transaction.atomic():
        # One at a time: the person has one app, whoever comes last.
        User.objects.select_for_update().get(pk=user.pk)
        TOTPDevice.objects.filter(user_id=user.pk).delete()
        device = TOTPDevice.objects.create(user_id=user.pk, name="", key=key, tolerance=TOLERANCE)
        if not _is_code(code) or not device.verify_token(code):
            transaction.set_rollback(True)
            return None
        return device.pk, recovery.make(user)


@transaction.atomic
def remove(user: Any) -> bool:
    """Take app and recovery codes away; whether there was one."""
    recovery.forget(user)
    gone, _ = TOTPDevice.objects.filter(user_id=user.pk).delete()
    return bool(gone)


def device_of(user: Any) -> Any:
    return TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).first()


def _is_code(code: str) -> bool:
    return len(code) == DIGITS and code.isascii() and code.isdigit()
