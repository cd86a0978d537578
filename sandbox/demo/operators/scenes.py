"""What comes in while operators have paused the mails, and while the mail server is away."""

from sandbox.demo.families import HEALTHY, Family
from sandbox.demo.mail import statements as sql
from sandbox.demo.mail.expectation import Expected, Statement, Step


def _refunds(*families: Family) -> tuple[Statement, ...]:
    return tuple(Statement(sql.SEND_REFUNDED, {"email": family.email, "amount": "1500.00"}) for family in families)


WHY_PAUSED = "the wording of refunds is looked at"
# Who waits has lost nothing: each is sent at the first attempt, and none was spent on waiting.
WHILE_PAUSED = Step(
    "five refunds are announced meanwhile",
    _refunds(*HEALTHY),
    tuple(Expected("payment_refunded", family.email) for family in HEALTHY),
)
# More than there are workers, so that most are not even tried.
_MANY = HEALTHY * 4
WHILE_AWAY = Step(
    f"{len(_MANY)} refunds are announced meanwhile",
    _refunds(*_MANY),
    tuple(Expected("payment_refunded", family.email, meets_outage=True) for family in _MANY),
)
STEPS = (WHILE_PAUSED, WHILE_AWAY)
