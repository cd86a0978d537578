"""`manage.py render_report`: a report as a file, to look at. Stores nothing and sends no mail."""

import argparse
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from bridge.errors import PermanentError
from reports.content.data import ReportData
from reports.content.loading import load_report
from reports.content.samples import SAMPLES
from reports.document.rendering import render
from reports.errors import AssessmentMissing, NotTheOwner, ReportError
from reports.models import Kind
from reports.owners import find_standing


class Command(BaseCommand):
    help = "Render the report of an assessment, or a built-in sample, into a file."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("assessment", nargs="?", type=UUID, metavar="ASSESSMENT_ID")
        what.add_argument(
            "--sample", nargs="?", const="full", choices=SAMPLES, help="built-in data, no database needed"
        )
        parser.add_argument("--kind", choices=Kind.values, default=Kind.PDF.value)
        parser.add_argument("-o", "--output", type=Path, help="default: report.<kind> in this folder")

    def handle(self, *args: Any, **options: Any) -> None:
        data = SAMPLES[options["sample"]] if options["sample"] else _load(options["assessment"])
        try:
            rendered = render(data, Kind(options["kind"]))
            output: Path = options["output"] or Path(f"report.{rendered.extension}")
            _write(output, rendered.content)
        except (ReportError, OSError) as error:
            raise CommandError(str(error)) from error
        pages = f", {rendered.pages} pages" if rendered.pages else ""
        self.stdout.write(f"{output}: {len(rendered.content):,} bytes{pages}")


def _write(output: Path, content: bytes) -> None:
    """Write a file that nobody but its owner may read: it is about a family."""
    output.touch(mode=0o600)
    output.chmod(0o600)
    output.write_bytes(content)


def _load(assessment_id: UUID) -> ReportData:
    standing = find_standing(assessment_id)
    try:
        if standing is None:
            raise AssessmentMissing(f"there is no assessment {assessment_id}")
        if standing.owner is None:
            raise NotTheOwner(f"assessment {assessment_id} belongs to no profile")
        return load_report(assessment_id, user_id=standing.owner)
    except (ReportError, PermanentError) as error:
        raise CommandError(str(error)) from error
