-- name: lock_alerts
-- Whether nobody else evaluates at this moment; until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('tsuji alerts')) AS mine;

-- name: limit_alert_idleness
SET idle_in_transaction_session_timeout = '30s';

-- name: evaluator
-- Who was seen in the future was seen by a clock that has been set back since.
SELECT holder, run, seen_at, judged_until, listening_since, problem,
    abs(extract(epoch FROM now() - seen_at)) < extract(epoch FROM %(lease)s::interval) AS alive,
    now() - seen_at AS seen_ago FROM alert_evaluator;

-- name: hold_evaluator
INSERT INTO alert_evaluator (holder, run, seen_at, problem)
VALUES (%(holder)s, %(run)s, now(), %(problem)s)
ON CONFLICT (singleton) DO UPDATE SET
    holder = excluded.holder, run = excluded.run, seen_at = now(), problem = excluded.problem;

-- name: hold_on
-- After a long turn whoever took it is seen at its end, not at its beginning.
UPDATE alert_evaluator SET seen_at = clock_timestamp()
WHERE seen_at < clock_timestamp() - interval '2 seconds';

-- name: note_judged
UPDATE alert_evaluator SET judged_until = %(until)s;

-- name: note_listening
UPDATE alert_evaluator SET listening_since = %(since)s;

-- name: rules_in_force
SELECT rule_id, digest, document, problem FROM alert_rule ORDER BY place;

-- name: put_rule
INSERT INTO alert_rule (rule_id, place, digest, document)
VALUES (%(rule_id)s, %(place)s, %(digest)s, %(document)s)
ON CONFLICT (rule_id) DO UPDATE SET
    place = excluded.place, digest = excluded.digest, document = excluded.document, problem = '';

-- name: drop_rules
DELETE FROM alert_rule WHERE rule_id = ANY (%(rule_ids)s);

-- name: note_rule_problem
UPDATE alert_rule SET problem = %(problem)s WHERE rule_id = %(rule_id)s AND problem <> %(problem)s;

-- name: states
SELECT alert_state.*, alert.document, alert.thing_id, alert.area_set_id, alert.area_code
FROM alert_state LEFT JOIN alert USING (alert_id);

-- name: put_states
INSERT INTO alert_state (rule_id, subject, alert_id, phase, seen, value, start, peak, peak_at, clear_since)
SELECT * FROM unnest(%(rule_ids)s::text[], %(subjects)s::text[], %(alert_ids)s::text[],
    %(phases)s::text[], %(seens)s::timestamptz[], %(vals)s::float8[], %(starts)s::timestamptz[],
    %(peaks)s::float8[], %(peak_ats)s::timestamptz[], %(clear_sinces)s::timestamptz[])
ON CONFLICT (rule_id, subject) DO UPDATE SET
    alert_id = excluded.alert_id, phase = excluded.phase, seen = excluded.seen, value = excluded.value,
    start = excluded.start, peak = excluded.peak, peak_at = excluded.peak_at,
    clear_since = excluded.clear_since;

-- name: drop_states_of_rules
DELETE FROM alert_state WHERE rule_id = ANY (%(rule_ids)s);

-- name: begin_alert
INSERT INTO alert (alert_id, rule_id, subject, thing_id, area_set_id, area_code, started_at, peak, peak_at,
    document)
VALUES (%(alert_id)s, %(rule_id)s, %(subject)s, %(thing_id)s, %(area_set_id)s, %(area_code)s,
    %(start)s, %(peak)s, %(peak_at)s, %(document)s);

-- name: end_alert
UPDATE alert SET ended_at = %(end)s, end_reason = %(reason)s, peak = %(peak)s, peak_at = %(peak_at)s
WHERE alert_id = %(alert_id)s AND ended_at IS NULL
RETURNING alert_id;

-- name: put_message
WITH message AS (
    INSERT INTO alert_message (message_id, alert_id, ends, body)
    VALUES (%(message_id)s, %(alert_id)s, %(ends)s, %(body)s)
    RETURNING message_no
)
INSERT INTO alert_delivery (target, message_no)
SELECT target, message_no FROM message, unnest(%(targets)s::text[]) AS target;

-- name: heard
-- Up to when anything was measured, and when anything was last stored.
SELECT (SELECT max(phenomenon_time) FROM latest WHERE phenomenon_time <= %(now)s) AS heard,
    (SELECT max(last_stored_at) FROM ingest_counter) AS stored_at;

-- name: scoped_newest
-- The newest observation of a property by each of some things.
SELECT thing_id, datastream_id, phenomenon_time, result
FROM thing JOIN datastream USING (thing_id) JOIN latest USING (datastream_id)
WHERE declared AND observed_property = %(observed_property)s
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s);

-- name: met_since
-- Those of some datastreams of which any observation since a time met a threshold.
SELECT DISTINCT datastream_id FROM observation
WHERE datastream_id = ANY (%(datastream_ids)s::int4[]) AND phenomenon_time >= %(since)s
    AND CASE WHEN %(above)s THEN result >= %(threshold)s ELSE result <= %(threshold)s END;

-- name: observed_since
-- What was observed since a time of each datastream's own, that included, oldest first.
SELECT wanted.datastream_id, later.phenomenon_time, later.result
FROM unnest(%(datastream_ids)s::int4[], %(sinces)s::timestamptz[]) AS wanted (datastream_id, since)
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result FROM observation
    WHERE observation.datastream_id = wanted.datastream_id AND phenomenon_time >= wanted.since
        AND phenomenon_time >= %(oldest)s
    ORDER BY phenomenon_time LIMIT %(limit)s
) AS later
ORDER BY datastream_id, phenomenon_time;

-- name: scoped_heard
-- When each of some things was last heard, with its longest counting period: of those that were last
-- heard before a moment, and of some others.
SELECT thing_id, max(phenomenon_time) AS heard, max(latest.period_s) AS period_s,
    (array_agg(datastream_id ORDER BY phenomenon_time DESC))[1] AS datastream_id
FROM thing JOIN datastream USING (thing_id) JOIN latest USING (datastream_id)
WHERE declared
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
GROUP BY thing_id
HAVING max(phenomenon_time) <= %(before)s OR thing_id = ANY (%(also)s);

-- name: recent_times
-- The newest times of some datastreams.
SELECT wanted.datastream_id, array_agg(newest.phenomenon_time) AS times
FROM unnest(%(datastream_ids)s::int4[]) AS wanted (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time FROM observation
    WHERE observation.datastream_id = wanted.datastream_id
    ORDER BY phenomenon_time DESC LIMIT %(limit)s
) AS newest
GROUP BY wanted.datastream_id;

-- name: scoped_things
SELECT thing_id FROM thing
WHERE (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s);

-- name: scoped_areas
SELECT code FROM area
WHERE area_set_id = %(area_set_id)s AND (%(codes)s::text[] IS NULL OR code = ANY (%(codes)s));

-- name: counting
-- What things say of themselves that derived figures are made of; those that say nothing are left out.
SELECT thing_id, effective_width_m, capacity,
    count(*) FILTER (WHERE observed_property = ANY (%(both_ways)s)) = cardinality(%(both_ways)s::text[])
        AS both_ways,
    coalesce(bool_or(observed_property = %(pm2_5)s), false) AS pm2_5
FROM thing LEFT JOIN datastream USING (thing_id)
WHERE declared IS NOT FALSE
GROUP BY thing_id
HAVING effective_width_m IS NOT NULL OR capacity IS NOT NULL
    OR coalesce(bool_or(observed_property = %(pm2_5)s), false);

-- name: newest_until
-- The newest observation of each declared datastream with start < time <= end; most are in `latest`.
SELECT thing_id, observed_property, latest.phenomenon_time, latest.result
FROM datastream JOIN latest USING (datastream_id)
WHERE declared AND observed_property = ANY (%(observed_properties)s)
    AND latest.phenomenon_time > %(start)s AND latest.phenomenon_time <= %(end)s
UNION ALL
SELECT thing_id, observed_property, newest.phenomenon_time, newest.result
FROM datastream JOIN latest USING (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS newest
WHERE declared AND observed_property = ANY (%(observed_properties)s)
    AND latest.phenomenon_time > %(end)s;

-- name: forget_messages
-- What all who were to be told have been told, or were given up, some days ago; that an alert began
-- that is still on is said again to whoever comes.
DELETE FROM alert_message WHERE created_at < now() - %(age)s::interval
    AND NOT EXISTS (SELECT FROM alert WHERE alert.alert_id = alert_message.alert_id AND ended_at IS NULL)
    AND NOT EXISTS (SELECT FROM alert_delivery WHERE alert_delivery.message_no = alert_message.message_no
        AND delivered_at IS NULL AND given_up_at IS NULL);
