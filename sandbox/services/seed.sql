-- Sample data: families as they come to the service. Times are counted from the moment of seeding. Ids tell the kind in
-- their first digits: a user, b profile, c assessment, d payment, e appointment type, f package; 1 appointment, 2 purchase.

-- What happened long ago is announced to nobody.
ALTER TABLE public.assessments DISABLE TRIGGER USER;
ALTER TABLE public.appointments DISABLE TRIGGER USER;
ALTER TABLE public.payments DISABLE TRIGGER USER;

INSERT INTO auth.users (id, email, last_sign_in_at, created_at) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'anna.sokolova@example.org', now() - interval '2 hours', now() - interval '5 months'),
    ('a0000000-0000-4000-8000-000000000002', 'igor.kovalev@example.org', now() - interval '1 day', now() - interval '3 months'),
    ('a0000000-0000-4000-8000-000000000003', 'leyla.guseynova@example.org', now() - interval '9 days', now() - interval '40 days'),
    ('a0000000-0000-4000-8000-000000000004', 'aleksandra.konstantinopolskaya@example.org', now() - interval '30 minutes', now() - interval '6 days'),
    ('a0000000-0000-4000-8000-000000000005', 'olga.smirnova@example.org', now() - interval '4 hours', now() - interval '1 year');

INSERT INTO public.users (id, email, phone, region, role, created_at)
SELECT u.id, u.email, x.phone, x.region, x.role, u.created_at
FROM auth.users AS u
JOIN (VALUES
    ('anna.sokolova@example.org', '+7 900 000-00-01', 'Москва', 'user'),
    ('igor.kovalev@example.org', '+7 900 000-00-02', 'Санкт-Петербург', 'user'),
    ('leyla.guseynova@example.org', '+7 900 000-00-03', 'Республика Татарстан', 'user'),
    ('aleksandra.konstantinopolskaya@example.org', NULL, 'Ханты-Мансийский автономный округ — Югра', 'user'),
    ('olga.smirnova@example.org', '+7 900 000-00-05', 'Москва', 'specialist')
) AS x (email, phone, region, role) USING (email)
-- A trigger has made the rows.
ON CONFLICT (id) DO UPDATE
SET phone = excluded.phone, region = excluded.region, role = excluded.role, created_at = excluded.created_at;

INSERT INTO public.profiles (id, user_id, type, first_name, last_name, dob, gender, worry_tags) VALUES
    ('b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'parent', 'Анна', 'Соколова', '1986-04-12', 'female', '{Выгорание,Чувство вины}'),
    ('b0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', 'partner', 'Дмитрий', 'Соколов', '1984-11-02', 'male', NULL),
    ('b0000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000001', 'child', 'Мария', 'Соколова', '2017-09-18', 'female', '{Тревога перед школой,Плохой сон}'),
    ('b0000000-0000-4000-8000-000000000004', 'a0000000-0000-4000-8000-000000000001', 'child', 'Тимофей', 'Соколов', '2020-02-29', 'male', '{Истерики}'),
    ('b0000000-0000-4000-8000-000000000005', 'a0000000-0000-4000-8000-000000000002', 'parent', 'Игорь', 'Ковалёв', '1981-07-30', 'male', NULL),
    ('b0000000-0000-4000-8000-000000000006', 'a0000000-0000-4000-8000-000000000002', 'partner', 'Елена', 'Ковалёва', '1983-01-15', 'female', NULL),
    ('b0000000-0000-4000-8000-000000000007', 'a0000000-0000-4000-8000-000000000002', 'child', 'Артём', 'Ковалёв', '2014-05-06', 'male', '{Конфликты со сверстниками,Учёба}'),
    ('b0000000-0000-4000-8000-000000000008', 'a0000000-0000-4000-8000-000000000003', 'parent', 'Лейла', 'Гусейнова', '1990-12-24', 'female', '{Развод}'),
    ('b0000000-0000-4000-8000-000000000009', 'a0000000-0000-4000-8000-000000000003', 'child', 'Амина', NULL, '2018-08-08', 'female', NULL),
    ('b0000000-0000-4000-8000-000000000010', 'a0000000-0000-4000-8000-000000000004', 'caregiver', 'Александра', 'Константинопольская-Рождественская', '1958-03-08', 'female', NULL),
    ('b0000000-0000-4000-8000-000000000011', 'a0000000-0000-4000-8000-000000000004', 'child', 'Святослав', 'Константинопольский-Рождественский', NULL, 'male', '{}');

INSERT INTO public.appointment_types (id, name, duration_minutes, price, description, is_active) VALUES
    ('e0000000-0000-4000-8000-000000000001', 'Первичная консультация детского психолога', 60, 5000.00, 'Знакомство, разбор результатов опросника и план на ближайшие недели.', true),
    ('e0000000-0000-4000-8000-000000000002', 'Индивидуальная консультация', 50, 4500.00, 'Встреча со специалистом онлайн.', true),
    ('e0000000-0000-4000-8000-000000000003', 'Семейная сессия', 90, 7500.00, 'Встреча для всей семьи: до четырёх человек.', true),
    ('e0000000-0000-4000-8000-000000000004', 'Знакомство со специалистом', 15, 0.00, 'Короткий разговор перед первой встречей, бесплатно.', true),
    ('e0000000-0000-4000-8000-000000000005', 'Групповое занятие «Спокойный вечер»', 60, 1999.99, 'Группа для родителей, набор закрыт.', false);

INSERT INTO public.packages (id, name, session_count, appointment_type_id, price, description, is_active) VALUES
    ('f0000000-0000-4000-8000-000000000001', 'Четыре консультации', 4, 'e0000000-0000-4000-8000-000000000002', 16000.00, 'Месяц поддержки: одна встреча в неделю.', true),
    ('f0000000-0000-4000-8000-000000000002', 'Восемь семейных сессий', 8, 'e0000000-0000-4000-8000-000000000003', 54000.00, 'Два месяца работы со всей семьёй.', true),
    ('f0000000-0000-4000-8000-000000000003', 'Пробный пакет', 2, 'e0000000-0000-4000-8000-000000000002', 8100.00, 'Больше не продаётся.', false);

INSERT INTO public.payments (id, user_id, amount, status, payment_method, external_payment_id, metadata, created_at) VALUES
    ('d0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 5000.00, 'completed', 'yookassa', '2f8e0001-000f-5000-9000-1b68e7b15f3f', '{"type": "appointment", "package_id": null, "appointment_type_id": "e0000000-0000-4000-8000-000000000001"}', now() - interval '70 days'),
    ('d0000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', 16000.00, 'completed', 'yookassa', '2f8e0002-000f-5000-9000-1b68e7b15f3f', '{"type": "package", "package_id": "f0000000-0000-4000-8000-000000000001"}', now() - interval '32 days'),
    ('d0000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000002', 7500.00, 'failed', 'yookassa', '2f8e0003-000f-5000-9000-1b68e7b15f3f', '{"type": "appointment", "package_id": null, "appointment_type_id": "e0000000-0000-4000-8000-000000000003"}', now() - interval '8 days'),
    ('d0000000-0000-4000-8000-000000000004', 'a0000000-0000-4000-8000-000000000002', 7500.00, 'completed', 'yookassa', '2f8e0004-000f-5000-9000-1b68e7b15f3f', '{"type": "appointment", "package_id": null, "appointment_type_id": "e0000000-0000-4000-8000-000000000003"}', now() - interval '8 days' + interval '4 minutes'),
    ('d0000000-0000-4000-8000-000000000005', 'a0000000-0000-4000-8000-000000000003', 4500.00, 'refunded', 'yookassa', '2f8e0005-000f-5000-9000-1b68e7b15f3f', '{"type": "appointment", "package_id": null, "appointment_type_id": "e0000000-0000-4000-8000-000000000002"}', now() - interval '20 days'),
    ('d0000000-0000-4000-8000-000000000006', 'a0000000-0000-4000-8000-000000000004', 54000.00, 'pending', NULL, NULL, '{"type": "package", "package_id": "f0000000-0000-4000-8000-000000000002"}', now() - interval '25 minutes');

INSERT INTO public.package_purchases (id, user_id, package_id, sessions_remaining, payment_id, purchased_at, expires_at) VALUES
    ('20000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'f0000000-0000-4000-8000-000000000001', 3, 'd0000000-0000-4000-8000-000000000002', now() - interval '32 days', now() + interval '150 days');

INSERT INTO public.appointments (id, user_id, profile_id, appointment_type_id, scheduled_at, status, payment_id, notes) VALUES
    ('10000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000003', 'e0000000-0000-4000-8000-000000000001', date_trunc('hour', now()) - interval '67 days', 'completed', 'd0000000-0000-4000-8000-000000000001', 'Договорились о режиме сна и о встрече через месяц.'),
    ('10000000-0000-4000-8000-000000000002', 'a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000003', 'e0000000-0000-4000-8000-000000000002', date_trunc('hour', now()) - interval '25 days', 'completed', NULL, 'Первая встреча из пакета.'),
    ('10000000-0000-4000-8000-000000000003', 'a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000003', 'e0000000-0000-4000-8000-000000000002', date_trunc('hour', now()) + interval '1 day', 'scheduled', NULL, NULL),
    ('10000000-0000-4000-8000-000000000004', 'a0000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000007', 'e0000000-0000-4000-8000-000000000003', date_trunc('hour', now()) + interval '3 days 30 minutes', 'scheduled', 'd0000000-0000-4000-8000-000000000004', NULL),
    ('10000000-0000-4000-8000-000000000005', 'a0000000-0000-4000-8000-000000000003', 'b0000000-0000-4000-8000-000000000009', 'e0000000-0000-4000-8000-000000000002', date_trunc('hour', now()) - interval '17 days', 'cancelled', 'd0000000-0000-4000-8000-000000000005', 'Ребёнок заболел.'),
    ('10000000-0000-4000-8000-000000000006', 'a0000000-0000-4000-8000-000000000004', NULL, 'e0000000-0000-4000-8000-000000000004', date_trunc('hour', now()) - interval '2 days', 'no_show', NULL, NULL);

-- The scoring functions changed once: 1 and 2 have the newer shape, 3 the older one; 6 was completed and not yet scored.
INSERT INTO public.assessments (id, profile_id, assessment_type, status, current_step, total_steps, is_paid, payment_id, results_summary, worry_tags, started_at, completed_at) VALUES
    ('c0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000003', 'checkup', 'completed', 32, 32, true, 'd0000000-0000-4000-8000-000000000001',
     '{"emotional": {"score": 13, "status": "concerning"}, "conduct": {"score": 6, "status": "typical"}, "hyperactivity": {"score": 10, "status": "borderline"}, "peer_problems": {"score": 9, "status": "borderline"}, "prosocial": {"score": 15, "status": "typical"}, "impact_child": {"score": 2, "status": "medium_impact"}, "impact_parent": {"score": 4, "status": "high_impact"}, "impact_family": {"score": 5, "status": "low_impact"}, "total_difficulties": 38}',
     '{"child": ["Тревога перед школой", "Плохой сон"], "personal": ["Выгорание"], "family": ["Мало времени вместе"]}', now() - interval '71 days 20 minutes', now() - interval '71 days'),
    ('c0000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001', 'parent', 'completed', 8, 8, true, NULL,
     '{"anxiety": {"score": 4, "status": "concerning"}, "depression": {"score": 2, "status": "borderline"}}',
     '{"child": [], "personal": ["Выгорание", "Чувство вины"], "family": []}', now() - interval '70 days 10 minutes', now() - interval '70 days'),
    ('c0000000-0000-4000-8000-000000000003', 'b0000000-0000-4000-8000-000000000007', 'checkup', 'completed', 32, 32, true, NULL,
     '{"emotional": {"score": 5, "status": "typical"}, "conduct": {"score": 14, "status": "concerning"}, "hyperactivity": {"score": 8, "status": "typical"}, "peer_problems": {"score": 17, "status": "concerning"}, "prosocial": {"score": 9, "status": "borderline"}, "impact": {"score": 1, "status": "medium_impact"}, "total_difficulties": 44}',
     NULL, now() - interval '85 days 35 minutes', now() - interval '85 days'),
    ('c0000000-0000-4000-8000-000000000004', 'b0000000-0000-4000-8000-000000000005', 'family', 'completed', 12, 12, false, NULL,
     '{"family_stress": {"score": 3, "status": "concerning"}, "partner_relationship": {"score": 4, "status": "typical"}, "coparenting": {"score": 6, "status": "borderline"}}',
     '{"child": [], "personal": [], "family": ["Разные взгляды на воспитание"]}', now() - interval '84 days 15 minutes', now() - interval '84 days'),
    ('c0000000-0000-4000-8000-000000000005', 'b0000000-0000-4000-8000-000000000009', 'checkup', 'in_progress', 14, 32, false, NULL, NULL, NULL, now() - interval '9 days', NULL),
    ('c0000000-0000-4000-8000-000000000006', 'b0000000-0000-4000-8000-000000000011', 'checkup', 'completed', 32, 32, false, NULL, '{"status": "completed"}', NULL, now() - interval '6 days 30 minutes', now() - interval '6 days'),
    ('c0000000-0000-4000-8000-000000000007', 'b0000000-0000-4000-8000-000000000004', 'checkup', 'abandoned', 3, 32, false, NULL, NULL, NULL, now() - interval '50 days', NULL);

INSERT INTO public.answers (assessment_id, question_code, question_id, category, value, answer_type, step_number, created_at)
SELECT a.id, a.assessment_type || '_' || lpad(n::text, 2, '0'), n,
       CASE a.assessment_type
           WHEN 'checkup' THEN (ARRAY['emotional', 'conduct', 'hyperactivity', 'peer_problems', 'prosocial', 'impact'])[1 + n % 6]
           WHEN 'parent' THEN (ARRAY['anxiety', 'depression'])[1 + n % 2]
           ELSE (ARRAY['family_stress', 'partner_relationship', 'coparenting'])[1 + n % 3]
       END,
       -- One question in thirteen is skipped.
       CASE WHEN n % 13 = 0 THEN -1 ELSE (n * 7 + length(p.first_name)) % 4 END,
       'scale', n, a.started_at + n * interval '20 seconds'
FROM public.assessments AS a
JOIN public.profiles AS p ON p.id = a.profile_id
CROSS JOIN LATERAL generate_series(1, CASE a.status WHEN 'completed' THEN a.total_steps ELSE a.current_step - 1 END) AS n;

ALTER TABLE public.assessments ENABLE TRIGGER USER;
ALTER TABLE public.appointments ENABLE TRIGGER USER;
ALTER TABLE public.payments ENABLE TRIGGER USER;
