"""Reports over HTTP: whose they are decides what is there, so other people's are answered like none at all."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reports.api.serializers import NewReportSerializer, ReportSerializer
from reports.making.asking import request_report
from reports.models import Kind, Report, RequestedBy
from reports.owners import owns
from reports.storage.files import file_response
from reports.storage.links import check_token

_NOT_READY = OpenApiResponse(description="There is no document yet; `Retry-After` is set while one is on its way.")


class JsonOrWhateverIsThere(BaseContentNegotiation):
    """A file is what it is: a caller that accepts nothing but PDF must not be refused for it."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return next(iter(parsers), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def reports_of(user_id: UUID) -> QuerySet[Report]:
    """The user's reports, without those that somebody else's message only claims to be theirs."""
    return Report.objects.filter(user_id=user_id, is_confirmed=True).defer("preview")


class ReportsView(generics.GenericAPIView[Report]):
    serializer_class = ReportSerializer

    @property
    def throttle_scope(self) -> str | None:
        return "reports_create" if self.request.method == "POST" else None

    def get_queryset(self) -> QuerySet[Report]:
        return reports_of(_caller(self.request))

    @extend_schema(
        operation_id="reports_list",
        summary="The caller's reports, newest first",
        responses=ReportSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        operation_id="reports_create",
        summary="Ask for a report, or for a new one",
        description="While the report is on its way already, that one is answered and nothing is queued again.",
        request=NewReportSerializer,
        responses={
            202: ReportSerializer,
            404: OpenApiResponse(description="The caller has no such assessment."),
            409: OpenApiResponse(description="The assessment is not completed."),
        },
    )
    def post(self, request: Request) -> Response:
        asked = NewReportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        report = request_report(
            assessment_id=asked.validated_data["assessment_id"],
            user_id=_caller(request),
            kind=Kind(asked.validated_data["report_type"]),
            requested_by=RequestedBy.OWNER,
        )
        return Response(ReportSerializer(report).data, status=status.HTTP_202_ACCEPTED)


class ReportView(APIView):
    @extend_schema(operation_id="reports_retrieve", summary="One report", responses=ReportSerializer)
    def get(self, request: Request, report_id: UUID) -> Response:
        report = get_object_or_404(reports_of(_caller(request)), pk=report_id)
        return Response(ReportSerializer(report).data)


class ReportFileView(APIView):
    """For the owner with a token of Supabase, or for whoever holds the link of the mail."""

    permission_classes = (AllowAny,)
    content_negotiation_class = JsonOrWhateverIsThere

    @extend_schema(
        operation_id="reports_file",
        summary="The document of a report",
        parameters=[OpenApiParameter("token", str, description="From the link in the mail; replaces signing in.")],
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/json"): OpenApiTypes.BINARY,
            403: OpenApiResponse(description="The link is not valid."),
            409: _NOT_READY,
            410: OpenApiResponse(description="The link has expired."),
        },
    )
    def get(self, request: Request, report_id: UUID) -> FileResponse:
        token = request.query_params.get("token")
        if token is not None:
            check_token(report_id, token)
            found: QuerySet[Report] = Report.objects.filter(is_confirmed=True).defer("preview")
        elif request.user.is_authenticated:
            found = reports_of(_caller(request))
        else:
            raise NotAuthenticated
        report = get_object_or_404(found, pk=report_id)
        # Asked anew: the account may have been deleted since, or the assessment given to whom it belongs.
        if not owns(report.user_id, report.assessment_id):
            raise Http404
        return file_response(report)


def _caller(request: Request) -> UUID:
    # The authentication that the settings name gives Supabase's user, whose id is a uuid; the stubs think of Django's.
    return UUID(str(request.user.pk))
