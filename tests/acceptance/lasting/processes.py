"""What the tests of this folder share, and what each of them sees of it."""

from sandbox.mailbox import Attempt, Mail, Mailbox
from tests.acceptance.processes import Child, Fleet


class Lasting:
    """A bridge, and one worker at a time."""

    def __init__(self, fleet: Fleet) -> None:
        self.bridge = fleet.bridge()
        self._fleet = fleet
        self._worker: Child | None = None

    def worker(self) -> Child:
        """The one that is there or, where a test has killed it, the next."""
        if self._worker is None or self._worker.exit_code is not None:
            self._worker = self._fleet.worker()
        return self._worker

    def tell(self) -> None:
        """Print the end of each log, which pytest shows for a test that failed."""
        for child in filter(None, (self.bridge, self._worker)):
            print(f"--- {child.name}, {child.exit_code}\n{child.tail()}")


class Inbox:
    """What a mail server gets from now on."""

    def __init__(self, server: Mailbox) -> None:
        self._server = server
        self._before = {mail.file for mail in server.messages}
        self._tried = len(server.attempts)
        self.stop, self.start = server.stop, server.start

    @property
    def messages(self) -> list[Mail]:
        return [mail for mail in self._server.messages if mail.file not in self._before]

    @property
    def attempts(self) -> list[Attempt]:
        return self._server.attempts[self._tried :]
