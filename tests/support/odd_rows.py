"""Rows of Supabase's tables as customers can write them: NULL wherever it may stand, and all that Postgres takes."""

import uuid
from typing import Any

from hypothesis import strategies as st

# Times that no calendar of Python's has, beside ordinary ones.
TIMES = st.sampled_from(
    (None, "infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "2026-11-26 10:20:30.456+00", "2026-11-26")
)
# What has no letter that Postgres refuses: NUL and halves of surrogate pairs.
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(("", " ", "\n", "..", "../payments", "a/b?c=d#e", "%00", "{0}%s", "<b>", "\u202e", "я" * 1000)),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
)
_DIGITS = "9" * 400
# As text, since no JSON of Python's writes all of it.
JSON = st.sampled_from(
    (
        *(None, "null", "true", "1", '""', "[]", "{}", "[[[[1]]]]", '{"type": null}', '{"type": ["package"]}'),
        *('{"type": "package"}', '{"type": "appointment", "scheduled_at": "infinity"}', '{"type": {"a": 1e400}}'),
        *(f'{{"a": {_DIGITS}.5}}', f"-{_DIGITS}.5", "1e5000", '{"a": 1e-5000}', "[" * 100 + "]" * 100),
        *("[" * 3000 + "]" * 3000, '{"": "\\ud83d\\ude00", "__proto__": [], "\\u2028": "\\u0001"}'),
    )
)
USERS = st.fixed_dictionaries(
    {
        "email": TEXTS,
        "phone": TEXTS,
        "region": TEXTS,
        "marketing_consent": st.sampled_from((None, True)),
        "role": st.sampled_from((None, "user", "super_admin")),
        "created_at": TIMES,
        "updated_at": TIMES,
    }
)
PAYMENTS = st.fixed_dictionaries(
    {
        # NaN is greater than every number, so it passes the check of the table.
        "amount": st.sampled_from(("0.01", "4500", "99999999.99", "NaN")),
        "currency": st.one_of(st.just("RUB"), TEXTS),
        "status": st.sampled_from(
            (None, "pending", "processing", "completed", "failed", "cancelled", "refunded"),
        ),
        "payment_method": TEXTS,
        "external_payment_id": TEXTS,
        "metadata": JSON,
        "created_at": TIMES,
        "updated_at": TIMES,
    }
)

APPOINTMENTS = st.fixed_dictionaries(
    {
        "scheduled_at": TIMES.filter(bool),
        "status": st.sampled_from((None, "scheduled", "in_progress", "completed", "cancelled", "no_show")),
        "notes": TEXTS,
        "created_at": TIMES,
        "updated_at": TIMES,
        "transcript_status": TEXTS,
        "summary": TEXTS,
        "meeting_format": st.sampled_from((None, "online", "in_person")),
        "duration_minutes": st.sampled_from((None, -1, 2**31 - 1)),
        "recurring_pattern": st.sampled_from((None, "weekly", "monthly")),
        "timezone": TEXTS,
    }
)

_NAMES = TEXTS.filter(lambda text: text is not None)
PROFILES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("parent", "child", "partner", "sibling", "caregiver", "other")),
        "first_name": _NAMES,
        "last_name": TEXTS,
        "dob": st.sampled_from((None, "infinity", "-infinity", "0044-03-15 BC", "20000-01-01", "2016-02-29")),
        "gender": st.sampled_from((None, "male", "female", "other")),
        "worry_tags": st.one_of(st.none(), st.lists(TEXTS, max_size=3)),
        "created_at": TIMES,
        "updated_at": TIMES,
    }
)
_RESULTS = st.sampled_from(
    (
        *('{"emotional": {"score": 13, "status": "concerning"}}', '{"emotional": {"score": null, "status": null}}'),
        *('{"emotional": null, "conduct": []}', '{"anxiety": {"score": 1e400, "status": {}}, "depression": "NaN"}'),
        *('{"total_difficulties": -1}', f'{{"family_stress": {{"score": {_DIGITS}.5}}}}', '{"coparenting": {}}'),
    )
)
_WORRIES = st.sampled_from(
    ('{"child": null, "personal": ["", " ", null, 1, "Сон"], "family": {}}', '{"child": ["<b>", "\\u202e", ["Сон"]]}')
)
ASSESSMENTS = st.fixed_dictionaries(
    {
        "assessment_type": st.sampled_from(("checkup", "parent", "family")),
        "status": st.sampled_from((None, "in_progress", "completed", "completed", "abandoned")),
        "current_step": st.sampled_from((None, -1)),
        "is_paid": st.sampled_from((None, True)),
        "payment_id": TEXTS,
        "results_summary": st.one_of(_RESULTS, JSON),
        "worry_tags": st.one_of(_WORRIES, JSON),
        "started_at": TIMES,
        "completed_at": TIMES,
        "created_at": TIMES,
        "updated_at": TIMES,
    }
)


def insertion(table: str, row: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement that writes a row, and its values. Everything goes there as text, which the columns read."""
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    values = [str(value) if isinstance(value, uuid.UUID) else value for value in row.values()]
    return f"INSERT INTO public.{table} ({names}) VALUES ({places})", values


def change(table: str, row: dict[str, Any], row_id: object) -> tuple[str, list[Any]]:
    """The same for a row that is there."""
    places = ", ".join(f"{name} = %s" for name in row)
    return f"UPDATE public.{table} SET {places} WHERE id = %s", [*row.values(), str(row_id)]
