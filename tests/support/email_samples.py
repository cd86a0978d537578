"""A message of each mail, as Supabase's triggers write them, and what the mail must say."""

from typing import Any

IDENTIFIER = "3f2b8c1e-5d4a-4f6b-9c7d-8e9f0a1b2c3d"
REPORT_ID = "0b7f6c1e-2d4a-4f6b-8c7d-1e9f0a1b2c3d"
AT = "2026-11-23T11:30:00+00:00"
MOMENT = "23 ноября 2026, 14:30 МСК"
NBSP = "\N{NO-BREAK SPACE}"
# What the till and the receipt call the payment.
ORDER = f"№{NBSP}3f2b8c1e"
SITE = "https://littleotter.example"

SAMPLES: dict[str, dict[str, Any]] = {
    "checkup_completed": {"assessment_id": IDENTIFIER, "profile_name": "Маша", "completed_at": AT},
    "appointment_confirmation": {
        "appointment_id": IDENTIFIER,
        "appointment_type": "Консультация психолога",
        "scheduled_at": AT,
        "status": "scheduled",
    },
    "appointment_reminder_24h": {"appointment_id": IDENTIFIER, "scheduled_at": AT},
    "appointment_reminder_1h": {"appointment_id": IDENTIFIER, "scheduled_at": AT},
    "payment_confirmation": {
        "payment_id": IDENTIFIER,
        "amount": 5000.0,
        "currency": "RUB",
        "payment_method": "yookassa",
    },
    "payment_failed": {"payment_id": IDENTIFIER, "amount": 5000},
    "payment_refunded": {"payment_id": IDENTIFIER, "amount": 19.99, "currency": "RUB"},
    "report_ready": {
        "assessment_id": IDENTIFIER,
        "profile_name": "Маша",
        "report_id": REPORT_ID,
    },
}

# What each says: its heading, pieces of its text, and where its button leads.
EXPECTED = {
    "checkup_completed": ("Опросник пройден", ["Маша", MOMENT], f"{SITE}/checkup-history"),
    "appointment_confirmation": (
        "Вы записаны на консультацию",
        ["Консультация психолога", MOMENT, "запланирована"],
        f"{SITE}/appointments",
    ),
    "appointment_reminder_24h": ("Скоро ваша консультация", [MOMENT, "примерно сутки"], f"{SITE}/appointments"),
    "appointment_reminder_1h": ("Консультация примерно через час", [MOMENT], f"{SITE}/appointments"),
    "payment_confirmation": ("Оплата прошла", [f"5{NBSP}000{NBSP}₽", "ЮKassa", ORDER], f"{SITE}/cabinet"),
    "payment_failed": ("Оплата не прошла", [f"5{NBSP}000{NBSP}₽", ORDER], f"{SITE}/appointments"),
    "payment_refunded": ("Мы вернули вам деньги", [f"19,99{NBSP}₽", ORDER], f"{SITE}/cabinet"),
    "report_ready": ("Отчёт готов", ["Маша"], f"https://api.example.org/reports/{REPORT_ID}?token=s3-cr_et&to=parent"),
}


def message_body(template: str, *, to: str = "parent@example.org", **variables: Any) -> dict[str, Any]:
    """A new body of that template; `variables` replace those of the sample."""
    return {
        "to": to,
        "subject": "Тема письма",
        "template": template,
        "variables": SAMPLES[template] | variables,
        "priority": 0,
        "created_at": AT,
    }
