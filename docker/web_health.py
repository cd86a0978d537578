# ruff: noqa: INP001 - a script of the image, no package
"""Ask this container's web process for /health; exit 0 if it answers.

The request carries the public host name, as `ALLOWED_HOSTS` need not hold 127.0.0.1; a Cyrillic one as DNS knows it.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from balansity.dotenv import load_dotenv


def public_host() -> str:
    """The host of `API_BASE_URL` in ASCII; nothing where it is none. An answer to that the web process has given."""
    try:
        parts = urlsplit(os.environ.get("API_BASE_URL", "").strip())
        name, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        return ""
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{port}" if port and name else name


# What is wrong with the file, the web process itself has said.
load_dotenv(Path(__file__).resolve().parents[1] / ".env", os.environ)

port = int(os.environ.get("API_PORT", "").strip() or 3001)
host = public_host() or f"localhost:{port}"
connection = HTTPConnection("127.0.0.1", port, timeout=5)
try:
    connection.request("GET", "/health", headers={"Host": host})
    status = connection.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"no answer on port {port}: {error}")
if status != 200:
    sys.exit(f"/health answered {status}; is {host} in ALLOWED_HOSTS?")
