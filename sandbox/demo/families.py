"""The families of the demo, as rows of Supabase's tables.

What follows a + in an address is how the mail server treats it: see `sandbox.mailbox.faults`.
"""

import uuid
from dataclasses import dataclass

from django.db import connection, transaction

DOMAIN = "demo.example"


@dataclass(frozen=True, slots=True)
class Family:
    """A parent with a child born on `born`, and the check-up of that child which is not finished yet."""

    mailbox: str
    first_name: str
    last_name: str
    gender: str
    child: str
    born: str
    region: str

    @property
    def email(self) -> str:
        return f"{self.mailbox}@{DOMAIN}"

    @property
    def id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email}"))

    @property
    def checkup_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mailto:{self.email}?subject=checkup"))


MARINA = Family("marina.orlova", "Марина", "Орлова", "female", "Лев", "2017-04-12", "Москва")
PAVEL = Family("pavel.zaytsev", "Павел", "Зайцев", "male", "София", "2014-09-01", "Санкт-Петербург")
ELENA = Family("elena.belova", "Елена", "Белова", "female", "Матвей", "2019-01-23", "Нижегородская область")
TIMUR = Family("timur.akhmetov", "Тимур", "Ахметов", "male", "Алия", "2015-06-30", "Республика Татарстан")
NATALYA = Family("natalya.zhukova", "Наталья", "Жукова", "female", "Фёдор", "2012-11-23", "Калининградская область")
OLEG = Family("oleg.demidov+refuse2", "Олег", "Демидов", "male", "Варвара", "2018-02-14", "Пермский край")
YULIA = Family("yulia.krylova+drop1", "Юлия", "Крылова", "female", "Пётр", "2016-12-05", "Москва")
SERGEY = Family("sergey.nikitin+always451", "Сергей", "Никитин", "male", "Ева", "2013-07-19", "Томская область")
GALINA = Family("galina.frolova+reject550", "Галина", "Фролова", "female", "Егор", "2020-03-08", "Республика Карелия")
VERA = Family("vera.lapina+slow2", "Вера", "Лапина", "female", "Мирон", "2017-10-27", "Приморский край")

HEALTHY = (MARINA, PAVEL, ELENA, TIMUR, NATALYA)
FAMILIES = (*HEALTHY, OLEG, YULIA, SERGEY, GALINA, VERA)

CONSULTATION = "e1000000-0000-4000-8000-000000000001"
FAMILY_SESSION = "e1000000-0000-4000-8000-000000000002"

_APPOINTMENT_TYPES = """
INSERT INTO public.appointment_types (id, name, duration_minutes, price) VALUES
    (%s, 'Индивидуальная консультация', 50, 4500.00),
    (%s, 'Семейная сессия', 90, 7500.00)
ON CONFLICT DO NOTHING
"""

_FAMILY = """
INSERT INTO auth.users (id, email) VALUES (%(id)s, %(email)s);
UPDATE public.users SET region = %(region)s WHERE id = %(id)s;
INSERT INTO public.profiles (user_id, type, first_name, last_name, gender)
VALUES (%(id)s, 'parent', %(first_name)s, %(last_name)s, %(gender)s);
WITH child AS (
    INSERT INTO public.profiles (user_id, type, first_name, dob)
    VALUES (%(id)s, 'child', %(child)s, %(born)s) RETURNING id
)
INSERT INTO public.assessments (id, profile_id, assessment_type, current_step, total_steps, started_at)
SELECT %(checkup_id)s, id, 'checkup', 32, 32, now() - interval '25 minutes' FROM child
"""


# An account with a payment or a booking cannot be deleted.
_FORGET = """
DELETE FROM public.appointments WHERE user_id IN (SELECT id FROM public.users WHERE email LIKE %(of_demo)s);
DELETE FROM public.payments WHERE user_id IN (SELECT id FROM public.users WHERE email LIKE %(of_demo)s);
DELETE FROM auth.users WHERE email LIKE %(of_demo)s
"""


def register_families() -> None:
    """Put the families into the tables, in place of those that an earlier demo left in this database."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FORGET, {"of_demo": f"%@{DOMAIN}"})
        cursor.execute(_APPOINTMENT_TYPES, [CONSULTATION, FAMILY_SESSION])
        for family in FAMILIES:
            values = {"id": family.id, "email": family.email, "region": family.region, "gender": family.gender}
            values |= {"first_name": family.first_name, "last_name": family.last_name, "child": family.child}
            values |= {"born": family.born, "checkup_id": family.checkup_id}
            cursor.execute(_FAMILY, values)
