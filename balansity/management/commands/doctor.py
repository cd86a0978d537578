"""`manage.py doctor`: what is wrong with the set-up and the surroundings, and what mends it."""

import argparse
import json
import logging
import sys
import time
from typing import Any

from django.core import checks
from django.core.management.base import BaseCommand
from django.utils import translation

from balansity.doctor.examination import Examination, examine
from bridge.diagnosis import Finding

PAUSE_SECONDS = 2
LEVELS = {checks.ERROR: "error", checks.WARNING: "warning", checks.INFO: "info"}


class Command(BaseCommand):
    help = (
        "Look at variables, Postgres, queues, broker, processes, mail, YooKassa, Supabase, the public address and this "
        "machine, within a few seconds and changing nothing; say what is wrong and what mends it, in one line each. "
        "Exit codes: 0 nothing is wrong, 1 something is."
    )
    # They are one of the looks, and must not keep the others from being taken.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object for programs")
        parser.add_argument(
            "--wait",
            type=int,
            default=0,
            metavar="SECONDS",
            help="look again for so long, until nothing is wrong: for processes that are just being started",
        )
        parser.add_argument(
            "--fail-level",
            choices=("error", "warning"),
            default="warning",
            help="the least that exit code 1 is for (default: warning)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # What the looks run into is what they are for.
        logging.disable(logging.CRITICAL)
        try:
            examination = _examine_until(time.monotonic() + options["wait"])
        finally:
            logging.disable(logging.NOTSET)
        with translation.override("en"):
            if options["json"]:
                self.stdout.write(json.dumps(as_json(examination), ensure_ascii=False))
            else:
                self._print(examination)
        if examination.errors or (examination.warnings and options["fail_level"] == "warning"):
            # No CommandError: all is said already.
            sys.exit(1)

    def _print(self, examination: Examination) -> None:
        styles = {checks.ERROR: self.style.ERROR, checks.WARNING: self.style.WARNING}
        for finding in examination.findings:
            style = styles.get(finding.level, self.style.NOTICE)
            self.stdout.write(f"{style(level_of(finding))}  {finding}")
        self.stdout.write(summary(examination))


def _examine_until(deadline: float) -> Examination:
    examination = examine()
    while (examination.errors or examination.warnings) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
        examination = examine()
    return examination


def level_of(finding: Finding) -> str:
    return next(name for level, name in LEVELS.items() if finding.level >= level)


def summary(examination: Examination) -> str:
    looks = f"{examination.looks} looks in {examination.seconds:.1f} s"
    if not (examination.errors or examination.warnings):
        return f"Nothing is wrong ({looks})."
    return f"{_several(examination.errors, 'error')}, {_several(examination.warnings, 'warning')} ({looks})."


def _several(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def as_json(examination: Examination) -> dict[str, Any]:
    return {
        "ok": not (examination.errors or examination.warnings),
        "errors": examination.errors,
        "warnings": examination.warnings,
        "seconds": round(examination.seconds, 2),
        "findings": [
            {
                "level": level_of(finding),
                "code": finding.code,
                "cause": finding.cause,
                "remedy": finding.remedy,
                "values": finding.values,
            }
            for finding in examination.findings
        ],
    }
