"""Recovery codes: for whoever has no phone at hand. Ten of them, each counts once, and nobody can read them here.

They are not those of django-otp, which lie in the database as they are typed. A code has 79 bits, so a plain hash keeps
it; by a key of ours all codes would be void when that is exchanged, and nobody would know before they need one.
"""

import hashlib
import secrets
from typing import Any

from django.db.models.functions import Now

from balansity.models import RecoveryCode

HOW_MANY, FEW = 10, 2
_LENGTH = 16
# Without what looks like something else on paper: 0 and o, 1, i and l.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def make(user: Any) -> list[str]:
    """New codes in place of those of before. They are returned once; what is kept does not give them back."""
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)) for _ in range(HOW_MANY)]
    forget(user)
    RecoveryCode.objects.bulk_create(RecoveryCode(user_id=user.pk, digest=_digest(user, code)) for code in codes)
    return codes


def use(user: Any, code: str) -> bool:
    """Whether it is a code of this person that was not used before; it is used from now on."""
    unused = RecoveryCode.objects.filter(user_id=user.pk, digest=_digest(user, code), used_at=None)
    return unused.update(used_at=Now()) == 1


def left(user: Any) -> int:
    return RecoveryCode.objects.filter(user_id=user.pk, used_at=None).count()


def forget(user: Any) -> None:
    RecoveryCode.objects.filter(user_id=user.pk).delete()


def looks_like_one(code: str) -> bool:
    return len(code) == _LENGTH


def grouped(code: str) -> str:
    """As it is shown, for people to copy."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _digest(user: Any, code: str) -> str:
    return hashlib.sha256(f"{user.pk}:{code}".encode()).hexdigest()
