"""Who pays in the demo, and what is on sale. Their mail server treats all of them well."""

import uuid
from dataclasses import dataclass

from django.db import connection, transaction

from sandbox.demo.families import CONSULTATION, DOMAIN

PACKAGE = "e2000000-0000-4000-8000-000000000001"
PACKAGE_SESSIONS = 4


@dataclass(frozen=True, slots=True)
class Customer:
    """One of them has one payment at most, so whatever is found of a customer belongs to it."""

    mailbox: str

    @property
    def email(self) -> str:
        return f"{self.mailbox}@{DOMAIN}"

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email}"))


ANNA = Customer("anna.kuznetsova")
BORIS = Customer("boris.sorokin")
DARYA = Customer("darya.lebedeva")
GLEB = Customer("gleb.komarov")
INNA = Customer("inna.vlasova")
KIRILL = Customer("kirill.osipov")
LYUDMILA = Customer("lyudmila.rybina")
MIKHAIL = Customer("mikhail.gusev")
NINA = Customer("nina.safonova")
OKSANA = Customer("oksana.titova")
ROMAN = Customer("roman.yudin")
SVETLANA = Customer("svetlana.chernova")
STEPAN = Customer("stepan.larin")
TAMARA = Customer("tamara.zimina")
ULYANA = Customer("ulyana.savina")
FEDOR = Customer("fedor.maslov")
KHRISTINA = Customer("khristina.bobrova")
YAROSLAV = Customer("yaroslav.panin")

CUSTOMERS = (
    *(ANNA, BORIS, DARYA, GLEB, INNA, KIRILL, LYUDMILA, MIKHAIL, NINA),
    *(OKSANA, ROMAN, SVETLANA, STEPAN, TAMARA, ULYANA, FEDOR, KHRISTINA, YAROSLAV),
)

_CUSTOMER = "INSERT INTO auth.users (id, email) VALUES (%(id)s, %(email)s)"
_PACKAGE = """
INSERT INTO public.packages (id, name, session_count, appointment_type_id, price)
VALUES (%s, 'Четыре консультации', %s, %s, 16000.00) ON CONFLICT DO NOTHING
"""


def register_customers() -> None:
    """Put the customers and the package into the tables. The families, and with them the consultations, come first."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PACKAGE, [PACKAGE, PACKAGE_SESSIONS, CONSULTATION])
        for customer in CUSTOMERS:
            cursor.execute(_CUSTOMER, {"id": customer.id, "email": customer.email})
