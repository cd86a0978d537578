-- What a report needs of Supabase's tables. Users may write there, so every text is cut and every jsonb is taken apart
-- here: no document of theirs reaches Python, whatever its size, depth or numbers.

-- name: assessment
-- Times that neither a calendar nor Python can hold ('infinity', years BC) read as unknown.
SELECT a.status, a.assessment_type, p.user_id, p.type, left(p.first_name, 1000),
       CASE WHEN p.dob BETWEEN '1900-01-01' AND '2200-01-01' THEN p.dob END,
       CASE WHEN a.completed_at BETWEEN '2000-01-01' AND '2200-01-01' THEN a.completed_at END
FROM public.assessments AS a
LEFT JOIN public.profiles AS p ON p.id = a.profile_id
WHERE a.id = %(assessment_id)s

-- name: family
-- The newest completed assessment of each type with a result in it, of everybody in the family.
SELECT DISTINCT ON (a.assessment_type)
       a.id, a.assessment_type, left(p.first_name, 1000),
       CASE WHEN p.type = 'child' AND p.dob BETWEEN '1900-01-01' AND '2200-01-01' THEN p.dob END,
       CASE WHEN a.completed_at BETWEEN '2000-01-01' AND '2200-01-01' THEN a.completed_at END
FROM public.assessments AS a
JOIN public.profiles AS p ON p.id = a.profile_id
WHERE p.user_id = %(user_id)s
  AND a.status = 'completed'
  AND a.id <> %(assessment_id)s
  -- What `scores` below finds something in.
  AND EXISTS (SELECT FROM jsonb_each(
                  CASE WHEN jsonb_typeof(a.results_summary) = 'object' THEN a.results_summary ELSE '{}' END) AS entry
              WHERE entry.key = ANY (%(keys)s) AND jsonb_typeof(entry.value) <> 'null')
ORDER BY a.assessment_type, a.completed_at DESC NULLS LAST, a.id

-- name: scores
-- One row for each known scale. The sum stands there as a bare number, the scales as {"score": …, "status": …}.
SELECT a.id, entry.key,
       left(CASE WHEN jsonb_typeof(entry.value) = 'object' THEN entry.value ->> 'score'
                 ELSE entry.value #>> '{}' END, 40),
       left(entry.value ->> 'status', 40)
FROM public.assessments AS a
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(a.results_summary) = 'object' THEN a.results_summary ELSE '{}' END) AS entry
WHERE a.id = ANY (%(ids)s::uuid[]) AND entry.key = ANY (%(keys)s)
  AND jsonb_typeof(entry.value) <> 'null'

-- name: assessment_worries
SELECT area.name, left(tag.value #>> '{}', 400)
FROM public.assessments AS a
CROSS JOIN unnest(ARRAY['child', 'personal', 'family']) AS area (name)
CROSS JOIN LATERAL jsonb_array_elements(
    CASE WHEN jsonb_typeof(a.worry_tags -> area.name) = 'array' THEN a.worry_tags -> area.name ELSE '[]' END
) WITH ORDINALITY AS tag (value, place)
WHERE a.id = %(assessment_id)s AND jsonb_typeof(tag.value) = 'string' AND tag.place <= 1000
ORDER BY area.name, tag.place

-- name: profile_worries
SELECT CASE p.type WHEN 'child' THEN 'child' ELSE 'personal' END, left(tag.value #>> '{}', 400)
FROM public.assessments AS a
JOIN public.profiles AS p ON p.id = a.profile_id
CROSS JOIN LATERAL jsonb_array_elements(to_jsonb(p.worry_tags)) WITH ORDINALITY AS tag (value, place)
WHERE a.id = %(assessment_id)s AND jsonb_typeof(tag.value) = 'string' AND tag.place <= 1000
ORDER BY tag.place
