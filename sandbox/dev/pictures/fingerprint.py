"""The fingerprint of what a picture shows, taken without a browser.

Of a page: its HTML, the pages in its frames, and what of the styles, scripts and images that it names is our own. Of
the shop: its sources. Of a report: its HTML before it is typeset. It does not see what only a browser or a typesetter
adds: their version, the fonts of the machine, the stylesheets of Django.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from PIL import Image

from reports.content.samples import SAMPLES
from reports.document.composition import compose_html
from sandbox.dev.pictures.album import (
    FOLDER,
    PICTURES,
    PagePicture,
    PaperPicture,
    Picture,
    ShopPicture,
    file_of,
)

# The chunk of the PNG that keeps it.
KEY = "Shows"
# Of packages that others make; their pages belong to the HTML all the same.
_FOREIGN = ("admin/", "rest_framework/", "drf_spectacular_sidecar/")
_TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="\w+"')
_STATIC = re.compile(rb'(?:href|src)="/static/([^"?]+)"')


class PageMissing(Exception):
    """A page of the album cannot be opened, or names a file that there is none of."""


def fingerprint(picture: Picture, client: Client) -> str:
    """Return it for what there is now; `client` is logged in as the staff of the scenery."""
    digest = hashlib.sha256()
    for part in _parts(picture, client):
        # Nobody sees how much white space there is between two words.
        digest.update(b" ".join(part.split()) + b"\0")
    return digest.hexdigest()[:16]


def stale(client: Client, pictures: tuple[Picture, ...] = PICTURES, folder: Path = FOLDER) -> list[Picture]:
    """Those that do not show what there is now, or are missing."""
    return [one for one in pictures if kept_fingerprint(file_of(one, folder)) != fingerprint(one, client)]


def kept_fingerprint(file: Path) -> str:
    """What the picture says that it shows; empty for none, and for one that was not made here."""
    if not file.exists():
        return ""
    with Image.open(file) as image:
        return str(image.info.get(KEY, ""))


def logged_in_staff(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _parts(picture: Picture, client: Client) -> Iterator[bytes]:
    match picture:
        case PagePicture():
            for address in (picture.address, *picture.inside):
                yield from _page(client, address)
        case ShopPicture():
            yield from (file.read_bytes() for file in picture.files)
        case PaperPicture():
            yield compose_html(SAMPLES[picture.sample]).encode()


def _page(client: Client, address: str) -> Iterator[bytes]:
    answer = client.get(address)
    if answer.status_code != 200:
        raise PageMissing(f"{address} answers {answer.status_code}")
    html = answer.content
    yield _TOKEN.sub(b"", html)
    for name in sorted({found.decode() for found in _STATIC.findall(html)}):
        if name.startswith(_FOREIGN):
            continue
        file = finders.find(name)
        if not isinstance(file, str):
            raise PageMissing(f"{address} names the file {name}, and there is none")
        yield Path(file).read_bytes()
