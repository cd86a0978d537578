"""The work as a task of Django's own framework."""

import effect
from django.tasks import task


@task
def work(number, ms, write):
    effect.work(number, ms, write)
