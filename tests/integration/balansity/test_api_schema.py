"""The description of the API and its page: complete about errors, the same each time, and all from our own files."""

import json
import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from balansity.api.schema import document_problems

pytestmark = pytest.mark.usefixtures("broker_url")


def described(operation: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"paths": {"/api/x/{id}": {"parameters": [], "post": operation}}}
    responses: dict[str, Any] = document_problems(schema)["paths"]["/api/x/{id}"]["post"]["responses"]
    return responses


def test_an_operation_names_the_errors_that_can_happen_to_it() -> None:
    full = {
        "parameters": [{"name": "id", "in": "path"}],
        "requestBody": {},
        "security": [{"supabase": []}],
        "responses": {"200": {}},
    }
    assert set(described(full)) == {"200", "400", "401", "404", "413", "415", "429", "503", "default"}
    assert set(described({"responses": {"200": {}}})) == {"200", "429", "503", "default"}


def test_what_an_operation_says_itself_stays() -> None:
    own = {"description": "No such payment."}
    responses = described({"parameters": [{"name": "id", "in": "path"}], "responses": {"404": own}})
    assert responses["404"]["description"] == "No such payment."
    assert list(responses["404"]["content"]) == ["application/problem+json"]
    assert responses["503"]["headers"]["Retry-After"]["schema"]["type"] == "integer"


def schema_text(*options: str) -> str:
    out = StringIO()
    call_command("spectacular", "--lang", "en", *options, stdout=out)
    return out.getvalue()


def test_the_schema_is_valid_and_the_same_each_time() -> None:
    text = schema_text("--validate", "--fail-on-warn")
    # What is the same is as valid.
    assert text == schema_text()
    assert "Problem:" in text


def test_the_schema_comes_as_yaml_and_as_json(client: Client) -> None:
    assert client.get("/api/schema").content.decode().startswith("openapi: 3.1")
    answer = client.get("/api/schema?format=json")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json"
    assert "Problem" in answer.json()["components"]["schemas"]


def test_a_view_that_wants_a_user_says_so(client: Client, settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.support.api_views"
    schema = json.loads(client.get("/api/schema?format=json").content)
    assert schema["components"]["securitySchemes"]["supabase"]["scheme"] == "bearer"
    assert schema["paths"]["/api/money"]["post"]["security"] == [{"supabase": []}]
    assert "401" in schema["paths"]["/api/money"]["post"]["responses"]


def test_the_page_needs_nobody_elses_server(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    *files, script = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert len(files) >= 4
    for file in files:
        assert finders.find(file.removeprefix("/static/")), file
    settings_of_page = client.get(script).content.decode()
    assert "https://" not in page + settings_of_page
    assert '"validatorUrl": null' in settings_of_page


@pytest.mark.parametrize(
    ("taken", "errors"),
    [
        ({}, []),
        ({"security": [{"supabase": []}]}, ["401"]),
        ({"requestBody": {}}, ["400", "413", "415"]),
        ({"parameters": [{"in": "query"}]}, ["400"]),
        ({"parameters": [{"in": "path"}]}, ["400", "404"]),
    ],
)
def test_each_error_follows_from_what_an_operation_takes(taken: dict[str, Any], errors: list[str]) -> None:
    responses = described({**taken, "responses": {"204": {"description": "Gone."}}})
    assert responses.pop("204") == {"description": "Gone."}
    assert [*responses] == [*errors, "429", "503", "default"]
