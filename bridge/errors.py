"""What a handler raises to say how a delivery ends, and what the bridge itself raises."""

from enum import StrEnum

from django.db import OperationalError
from psycopg2.errors import InsufficientPrivilege


class CodedError(Exception):
    """An error that carries a code and values, for whichever face shows it to word in the language of its readers.

    `code` is stable snake_case. `values` are what a sentence about the error names: ids and amounts, never people. The
    text is for logs and for the history on a message; without one it is the code and the values.
    """

    code = "error"

    def __init__(self, text: str = "", **values: object) -> None:
        super().__init__(text or " ".join([self.code, *(f"{name}={value}" for name, value in values.items())]))
        self.values = values


class BridgeError(CodedError):
    """Base of everything this package raises."""

    code = "bridge_error"


class PermanentError(BridgeError):
    """Repeating cannot help: the message is archived as failed at once, with this text as the reason people read."""


class InvalidMessage(PermanentError):
    """The message itself is unusable: not an object, a key is missing, a value of the wrong kind."""


class Refused(PermanentError):
    """The message is well made and our rules forbid it: whom it is about, how many there were. Nothing was done for it.

    Archived as failed with the reason `refused`, so that the rules at work are told apart from work that went wrong.
    """


class DuplicateMessage(BridgeError):
    """The work of this message was asked for before: it is archived with outcome `duplicate`, nothing is done.

    `original` names the message that does the work.
    """

    def __init__(self, text: str, *, original: int | None = None) -> None:
        super().__init__(text)
        self.original = original


class NotYet(BridgeError):
    """The turn of this message comes later: it is hidden for some seconds, and no attempt is counted.

    A screen says so of what depends on others before it, and decides for how long. A handler that has done nothing yet
    raises it with the `seconds`.
    """

    def __init__(self, text: str = "", *, seconds: float = 0.0) -> None:
        super().__init__(text)
        self.seconds = seconds


class Away(StrEnum):
    """In which way a service outside does not do its part."""

    AWAY = "away"
    SERVER_ERROR = "server_error"
    QUOTA = "quota"
    REFUSED = "refused"

    @property
    def ends_by_itself(self) -> bool:
        """Of a quota nobody knows when, and what was refused waits for a person."""
        return self in (Away.AWAY, Away.SERVER_ERROR)


class ServiceAway(BridgeError):
    """A service outside failed, and not because of this message: the mail server, YooKassa, the storage.

    It is not reached (`away`), answers with a failure of its own (`server_error`), has had too much of us (`quota`), or
    refuses us whatever we ask (`refused`: credentials, sender). The error it is raised from is what stands on the
    message. What becomes of the attempt, `bridge.breaker` decides.
    """

    code = "service_away"

    def __init__(self, service: str, why: str, *, kind: Away = Away.AWAY) -> None:
        super().__init__(f"{service}: {why}")
        self.service, self.why, self.kind = service, why, kind


class BrokerAway(BridgeError):
    """The broker does not answer, or refuses to store what it is given."""

    code = "broker_away"


class TokenLost(BridgeError):
    """Somebody else owns the message by now; whatever this process did with it must be rolled back."""


class QueueHeld(BridgeError):
    """A message was not started, as somebody paused its queue or a service is away. It is back in it, uncounted."""

    code = "queue_held"


class NotKept(BridgeError):
    """An outcome could be written neither on its message nor anywhere else."""


class QueueNotRegistered(BridgeError):
    """No package registered a handler for this queue."""


class RegistrationError(BridgeError):
    """Two packages want the same queue, or one queue was described in a way that cannot work."""


class AddressRefused(OperationalError):
    """`DATABASE_URL` leads where no work may be done. A person has to change that; the text says to what.

    For whoever waits for Postgres it is away: nothing was read, and nothing is lost.
    """


def is_closed(error: BaseException) -> bool:
    """Whether Postgres refused a statement as our role lacks a right, or must not see all rows of a table."""
    return isinstance(error.__cause__, InsufficientPrivilege)
