"""What the front end, staff and cron do to Supabase's tables in the demo. Placeholders: `user`, `email`, `child`, …"""

FINISH_CHECKUP = """
UPDATE public.assessments SET status = 'completed', completed_at = now(), results_summary = %(results)s
WHERE id = %(checkup)s
"""

BOOK = """
INSERT INTO public.appointments (user_id, appointment_type_id, scheduled_at)
VALUES (%(user)s, %(type)s, date_trunc('minute', now() + %(wait)s::interval))
"""

MOVE = """
UPDATE public.appointments SET scheduled_at = scheduled_at + interval '30 minutes'
WHERE user_id = %(user)s AND scheduled_at < now() + interval '2 days'
"""

# The row comes as the front end writes it, and the provider's answer changes it.
PAY = """
WITH payment AS (
    INSERT INTO public.payments (user_id, amount, payment_method)
    VALUES (%(user)s, %(amount)s, 'yookassa') RETURNING id
)
SELECT id FROM payment;
UPDATE public.payments SET status = %(status)s WHERE user_id = %(user)s AND status = 'pending'
"""

REMIND = "SELECT public.send_appointment_reminders()"

SEND_REPORT_READY = """
SELECT public.queue_email_task(%(email)s, 'Отчёт готов', 'report_ready', jsonb_build_object(
    'assessment_id', a.id, 'profile_name', p.first_name, 'report_url',
    'https://storage.demo.example/storage/v1/object/sign/reports/' || a.id || '.pdf?token=demo'))
FROM public.assessments AS a JOIN public.profiles AS p ON p.id = a.profile_id
WHERE p.user_id = %(user)s
"""

ASK_FOR_REPORT = "SELECT public.queue_report_generation(%(assessment)s, %(user)s)"

SEND_REFUNDED = """
SELECT public.queue_email_task(%(email)s, 'Деньги возвращены', 'payment_refunded', jsonb_build_object(
    'payment_id', gen_random_uuid(), 'amount', %(amount)s::numeric, 'currency', 'RUB'))
"""

# Lacks every variable that a template could want.
SEND_TO = "SELECT public.queue_email_task(%(email)s, 'Новости «Маленькой выдры»', %(template)s)"

SEND_NO_OBJECT = "SELECT pgmq.send('email_queue', to_jsonb('напишите маме'::text))"
