"""The work of a mail and nothing else: rendered, and sent by Django's own backend over one connection that is kept.

`python -m sandbox.bench.mail_alone 1000` prints the milliseconds of processor time a mail.
"""

import sys
import time
import uuid
from datetime import UTC, datetime

import django

WARM_UP = 50


def main(count: int) -> None:
    django.setup()
    # Models and settings can only be imported now.
    from django.conf import settings  # noqa: PLC0415
    from django.core.mail import EmailMultiAlternatives, get_connection  # noqa: PLC0415

    from notifications.writing.rendering import render_email  # noqa: PLC0415
    from notifications.writing.request import EmailRequest  # noqa: PLC0415
    from sandbox.probe.mails import FACTS, body_of  # noqa: PLC0415

    body = body_of(str(uuid.uuid4()), to="client@mail.example")
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend")
    connection.open()
    began = 0.0
    for number in range(WARM_UP + count):
        if number == WARM_UP:
            began = time.process_time()
        request = EmailRequest.parse(body)
        rendered = render_email(request, FACTS, at=datetime.now(UTC))
        mail = EmailMultiAlternatives(
            request.subject, rendered.text, settings.DEFAULT_FROM_EMAIL, [request.recipient], connection=connection
        )
        mail.attach_alternative(rendered.html, "text/html")
        connection.send_messages([mail])
    print((time.process_time() - began) * 1000 / count)


if __name__ == "__main__":
    main(int(sys.argv[1]))
