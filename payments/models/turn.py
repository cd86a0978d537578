"""When YooKassa was last asked about something, and what it said where that was no: so that nobody asks too often."""

from typing import ClassVar

from django.db import models


class Turn(models.Model):
    """One subject of questions: a payment, or the older payments that a customer's rows claim."""

    key = models.CharField(max_length=100, primary_key=True)
    taken_at = models.DateTimeField()
    # Why the payment of a row was not taken over, and the kind of error that it was.
    refused = models.TextField(blank=True, default="", db_default="")
    refused_as = models.CharField(max_length=40, blank=True, default="", db_default="")

    objects: ClassVar[models.Manager["Turn"]] = models.Manager()

    class Meta:
        # Nobody looks at these rows.
        default_permissions: ClassVar = ()

    def __str__(self) -> str:
        return self.key
