"""Lines that Django writes about whatever anybody sends: cut in length, and in an hour few of each kind."""

import logging

from bridge.seldom import FewAnHour

MOST_AN_HOUR = 50
MOST_CHARACTERS = 200
_REQUEST, _SECURITY = "django.request", "django.security"
_JUDGED = "is_worth_a_line"


class StrangerLines(logging.Filter):
    """Bounds the lines of `django.request` about refused requests, and all of `django.security`.

    The latter come as errors with their traceback: a wrong host, a form without its token. Nobody of ours has to act
    on them, so they are warnings here. The filter stands at each handler, as one at a logger sees nothing of those
    below it; a record is judged by the first, and that is the console, before the error log has looked at its level.
    """

    _lines = FewAnHour(MOST_AN_HOUR)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name != _REQUEST and not record.name.startswith(_SECURITY):
            return True
        if _JUDGED not in record.__dict__:
            record.__dict__[_JUDGED] = self._judge(record)
        return bool(record.__dict__[_JUDGED])

    def _judge(self, record: logging.LogRecord) -> bool:
        status = int(getattr(record, "status_code", 400))
        if status >= 500:
            # Of our own making, and with the traceback; the address is anybody's all the same.
            if isinstance(record.args, tuple):
                record.args = tuple(one[:MOST_CHARACTERS] if isinstance(one, str) else one for one in record.args)
            return True
        number = self._lines.tell(f"{record.name} {status}")
        if number is None:
            return False
        text = record.getMessage()
        record.msg, record.args = f"{text[:MOST_CHARACTERS]}{number}", None
        record.exc_info = record.exc_text = None
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
