"""Errors that the foundation itself raises. Domain packages word their own: `api_exception` of their `AppConfig`."""

from rest_framework.exceptions import APIException


class ServiceUnavailable(APIException):
    """Something that we need does not answer; the same call may work in `retry_after` seconds."""

    status_code = 503
    default_code = "service_unavailable"
    default_detail = "The service is temporarily unavailable, try again later"
    retry_after: float = 5


class PayloadTooLarge(APIException):
    status_code = 413
    default_code = "payload_too_large"
    default_detail = "The request body is too large"
