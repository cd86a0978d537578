"""What operators copy in front of the service: addresses, variables and limits are those of the code."""

import re

import pytest
from django.conf import settings
from django.urls import Resolver404, resolve

from notifications.tracking.view import receive_words
from payments.webhook.view import receive_notification
from sandbox.packages import CHECKOUT

DOCUMENT = (CHECKOUT / "docs" / "proxy.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_variables_that_are_named_exist() -> None:
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", DOCUMENT))
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert {"API_HOST", "TRUSTED_PROXIES", "API_BASE_URL", "ALLOWED_HOSTS"} <= named
    assert [name for name in named if not re.search(rf"^{name}=", example, re.MULTILINE)] == []


def test_both_lead_to_the_port_of_the_web_process() -> None:
    assert re.findall(r"^\s*server (\S+);$", block("nginx"), re.MULTILINE) == ["127.0.0.1:3001"]
    assert re.findall(r"reverse_proxy (\S+)", block("caddy")) == ["127.0.0.1:3001"]
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    assert "\nAPI_PORT=3001\nAPI_HOST=127.0.0.1\n" in re.sub(r"\n#.*", "", example)


def test_the_addresses_in_it_are_served() -> None:
    paths = re.findall(r"location (?:= )?(/\S*) \{", block("nginx"))
    assert paths == ["/", "/api/webhook/yookassa", "/api/webhook/mail/", "/admin/", "/admin/login/"]
    assert resolve("/api/webhook/mail/resend").func is receive_words
    assert resolve("/api/webhook/yookassa").func is receive_notification
    assert resolve("/admin/login/").view_name == "admin:login"


def test_the_log_leaves_out_what_opens_a_report() -> None:
    assert "$uri" in block("nginx")
    assert not re.search(r"\$(request|request_uri|args|query_string|http_referer)\b[^;]*';", block("nginx"))
    assert "error_log /var/log/nginx/balansity-error.log crit;" in block("nginx")
    assert 'request>uri regexp "[?].*" ""' in block("caddy")


def test_bodies_are_taken_whole_and_no_larger_than_ours() -> None:
    nginx = block("nginx")
    for line in ("proxy_request_buffering on;", "proxy_buffering on;", "client_header_timeout 10s;"):
        assert line in nginx
    assert "client_max_body_size 1m;" in nginx
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 1024 * 1024
    assert {"request_buffers 1MB", "max_size 1MB", "read_header 10s", "read_body 10s"} <= {
        line.strip() for line in block("caddy").splitlines()
    }


def test_the_client_and_its_scheme_are_passed_on() -> None:
    nginx = block("nginx")
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in nginx
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in nginx
    # In a location of its own such a line would drop those of the server.
    assert not re.search(r"location[^}]*proxy_set_header", nginx)


def test_the_admin_is_for_those_who_work_there() -> None:
    assert re.search(r"location /admin/ \{\n\s+allow 198\.51\.100\.0/24;\n\s+deny all;", block("nginx"))
    assert "path /admin /admin/*\n\t\tnot remote_ip 198.51.100.0/24" in block("caddy")


NODE_ONLY = {"/api/transcribe", "/api/ai", "/api/webhook/jitsi", "/api/webhook/assemblyai"}


def test_what_only_the_node_worker_serves_is_led_to_it_and_nothing_of_ours() -> None:
    section = DOCUMENT.partition("## Beside the Node worker")[2]
    nginx, caddy = re.findall(r"^```(?:nginx|caddy)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    for path in NODE_ONLY:
        with pytest.raises(Resolver404):
            resolve(path)
    (pattern,) = re.findall(r"location ~ (\S+) \{", nginx)
    for path in ("/api/payments/create", "/api/webhook/yookassa", "/api/airport", "/admin/"):
        assert not re.search(pattern, path)
    assert all(re.search(pattern, path) and re.search(pattern, f"{path}/x") for path in NODE_ONLY)
    wanted = {*NODE_ONLY, *(f"{path}/*" for path in NODE_ONLY)}
    for matcher in ("@node path ", "@ours not path "):
        assert {*next(line for line in caddy.splitlines() if matcher in line).partition(matcher)[2].split()} == wanted
    assert "proxy_pass http://127.0.0.1:3002;" in nginx
    assert "reverse_proxy @node 127.0.0.1:3002" in caddy
    for document in ("README.md", "README.ru.md", "docs/operations.md"):
        text = (CHECKOUT / document).read_text(encoding="utf-8")
        assert all(f"`{path}`" in text for path in NODE_ONLY), document
