"""Shows a stored mail to staff without letting anything in it act."""

from django.http import HttpResponse

from notifications.models import EmailMessage
from wording.masking import mask_tokens

# What a mail needs to look like itself, and nothing that could run, load, submit or be framed by somebody else. The
# variables in it came from the internet; escaping them is the first lock, and this is the second.
POLICY = "; ".join(
    (
        *("default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'"),
        *("frame-ancestors 'self'", "sandbox"),
    )
)


def preview_response(row: EmailMessage) -> HttpResponse:
    """Return the HTML of the mail, locked up and with its links of no use; 404 when it is not kept any more.

    A link opens a family's report for whoever has it. Those who may see that have a page of their own, which notes it.
    """
    if not row.html_body:
        return HttpResponse(status=404)
    response = HttpResponse(mask_tokens(row.html_body))
    response["Content-Security-Policy"] = POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
