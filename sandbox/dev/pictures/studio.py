"""Takes the pictures: of pages in a browser, of the shop while somebody buys there, of a report on paper."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2
from django.db import connection
from django.test.utils import override_settings
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reports.content.samples import SAMPLES
from reports.document.composition import compose_html
from reports.document.typesetting import typeset_pdf
from sandbox.dev.pictures.album import PagePicture, PaperPicture, Picture, ShopPicture
from sandbox.dev.pictures.browser import Browser, Page
from sandbox.dev.pictures.fingerprint import KEY
from sandbox.dev.pictures.rows import IGOR, NOW
from sandbox.shop.page import YOOKASSA
from sandbox.yookassa import YooKassaServer

_MENU = "localStorage.setItem('django.admin.navSidebarIsOpen', {})"
_SHOP_ID, _SECRET_KEY = "100500", "test_of-the-pictures"


def take(picture: Picture, browser: Browser, site: str) -> bytes:
    """PNG of the picture; `site` is the address of the service."""
    match picture:
        case PagePicture():
            before = _MENU.format("true" if picture.menu else "false")
            page = Page(browser, width=picture.width, before=before)
            page.open(site + picture.address)
            return page.shoot(picture.height)
        case ShopPicture():
            with _till():
                return _buy(Page(browser, width=picture.width), site + picture.address)
        case PaperPicture():
            return _print(picture)


def keep(png: bytes, file: Path, shows: str) -> None:
    """Write the picture with the fingerprint of what it shows, in few colours and so in few bytes."""
    noted = PngInfo()
    noted.add_text(KEY, shows)
    with Image.open(io.BytesIO(png)) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        file.parent.mkdir(parents=True, exist_ok=True)
        few.save(file, "PNG", pnginfo=noted, optimize=True)


@contextmanager
def _till() -> Iterator[None]:
    """YooKassa in this process, where time stands still; so do the times that the database itself puts on a payment."""
    with YooKassaServer(shop_id=_SHOP_ID, secret_key=_SECRET_KEY) as till, connection.cursor() as cursor:
        os.environ[YOOKASSA] = till.page_url
        cursor.execute(f"ALTER TABLE public.payments ALTER created_at SET DEFAULT '{NOW.isoformat()}'")
        with override_settings(
            YUKASSA_SHOP_ID=_SHOP_ID,
            YUKASSA_SECRET_KEY=_SECRET_KEY,
            YUKASSA_API_URL=till.api_url,
            YUKASSA_WIDGET_URL=till.widget_url,
            APPOINTMENT_WAIT_SECONDS=0,
        ):
            yield


def _buy(page: Page, address: str) -> bytes:
    """Igor buys the dearest consultation and pays for it."""

    def click(what: str) -> None:
        page.until(f"document.querySelector({what!r})?.disabled === false")
        page.run(f"document.querySelector({what!r}).click()")

    page.open(address)
    click(f'[data-user="{IGOR}"]')
    click("#goods .appointment:nth-of-type(3)")
    click("#times button:nth-of-type(3)")
    # The page asks for them apart from what there is to buy.
    page.until("document.querySelector('#payments li')")
    latest = page.run("document.querySelector('#payments li').innerText")
    click("#pay")
    # The button goes when the form is there.
    page.until("document.querySelector('#pay').hidden")
    page.run("document.querySelector('form[action$=\"/pay\"] button').click()", contextId=page.frame())
    # Afterwards the page asks anew what was bought, and what there is to buy.
    page.until(f"document.querySelector('#payments li').innerText !== {json.dumps(latest)}")
    page.until("document.querySelector('#goods [aria-pressed=true]') === null")
    return page.shoot()


def _print(picture: PaperPicture) -> bytes:
    document = pypdfium2.PdfDocument(typeset_pdf(compose_html(SAMPLES[picture.sample])).content)
    try:
        page = document[picture.page]
        image = page.render(scale=picture.width / page.get_width()).to_pil()
    finally:
        document.close()
    png = io.BytesIO()
    image.save(png, "PNG")
    return png.getvalue()
