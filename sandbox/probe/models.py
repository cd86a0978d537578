from typing import ClassVar

from django.db import models


class ProbeRun(models.Model):
    """One started execution. `recorded` is written in the outcome transaction, so it is true once at the most."""

    msg_id = models.BigIntegerField(db_index=True)
    attempt = models.IntegerField()
    pid = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    recorded = models.BooleanField(default=False)

    objects: ClassVar[models.Manager["ProbeRun"]] = models.Manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["msg_id"], condition=models.Q(recorded=True), name="probe_recorded_once")
        ]

    def __str__(self) -> str:
        return f"{self.msg_id}: attempt {self.attempt}"
