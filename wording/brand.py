"""What the service is called wherever a family reads it: in mails, reports and pages.

Mails come from «Balansity», the name that `SMTP_FROM_NAME` has by default; families know the site as «Little Otter».
Whoever gets a letter must be able to tell that the two are one, or it looks like somebody else's.
"""

BRAND = "Little Otter"
SERVICE = f"{BRAND} — сервис Balansity"
