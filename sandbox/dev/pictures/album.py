"""Which pictures there are, and what each one shows."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sandbox.packages import CHECKOUT

# The payment, the mail and the failed message that have a picture of their own.
SPOTLIGHT = UUID("d1000000-0000-4000-8000-000000000042")
EMAIL = 7
MESSAGE = 3147

FOLDER = CHECKOUT / "docs" / "images"
_SHOP = CHECKOUT / "sandbox" / "shop"
_PAYMENTS = "/admin/payments/payment/"
_QUEUES = "/admin/bridge/queueoverview/"
_EMAIL = f"/admin/notifications/emailmessage/{EMAIL}/"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page in a browser's window, `width` pixels wide; without a `height` all of the page is shown.

    `inside` are the pages that it shows in frames, `menu` is the one on the left.
    """

    name: str
    address: str
    width: int = 1280
    height: int | None = None
    inside: tuple[str, ...] = ()
    menu: bool = False


@dataclass(frozen=True, slots=True)
class ShopPicture:
    """The sandbox's shop after a purchase. The page is made by its scripts, so these are what it is known by."""

    name: str
    address: str = "/demo/"
    width: int = 1280
    files: tuple[Path, ...] = (_SHOP / "templates" / "shop" / "shop.html", *sorted((_SHOP / "static").rglob("*.*")))


@dataclass(frozen=True, slots=True)
class PaperPicture:
    """A page of a report of made-up results; pages count from 0."""

    name: str
    page: int
    sample: str = "child"
    width: int = 900


Picture = PagePicture | ShopPicture | PaperPicture

PICTURES: tuple[Picture, ...] = (
    PagePicture("admin-home", "/admin/"),
    PagePicture("admin-payments", _PAYMENTS, height=962),
    PagePicture("admin-payment", f"{_PAYMENTS}{SPOTLIGHT}/change/"),
    PagePicture("admin-revenue", f"{_PAYMENTS}revenue/", height=982),
    PagePicture("admin-queues", _QUEUES, width=1600, menu=True),
    PagePicture("admin-queue", f"{_QUEUES}email_queue/?tab=failures"),
    PagePicture("admin-message", f"{_QUEUES}email_queue/{MESSAGE}/"),
    PagePicture("admin-email", f"{_EMAIL}change/", inside=(f"{_EMAIL}preview/",)),
    PaperPicture("report-cover", 0),
    PaperPicture("report-section", 1),
    ShopPicture("shop"),
)


def file_of(picture: Picture, folder: Path = FOLDER) -> Path:
    return folder / f"{picture.name}.png"
