-- What the services of schema 0022 send to the database: those that still run while a newer schema is in place.
-- Written once, from the queries of that time; never edited (test_side_by_side.py).

-- name: alert_outbox__lock_target
SELECT pg_try_advisory_xact_lock(hashtext('tsuji alert target'), hashtext(%(target)s)) AS mine;

-- name: alert_outbox__limit_courier_idleness
SET idle_in_transaction_session_timeout = '5min';

-- name: alert_outbox__due
SELECT message_no, message_id, alert_id, ends, body, attempts, created_at, next_at <= now() AS is_due
FROM alert_delivery JOIN alert_message USING (message_no)
WHERE target = %(target)s AND delivered_at IS NULL AND given_up_at IS NULL
ORDER BY message_no LIMIT %(limit)s;

-- name: alert_outbox__delivered
UPDATE alert_delivery SET delivered_at = now(), attempts = attempts + 1, problem = ''
WHERE target = %(target)s AND message_no = ANY (%(message_nos)s);

-- name: alert_outbox__postponed
UPDATE alert_delivery SET attempts = attempts + 1, problem = %(problem)s,
    next_at = now() + make_interval(secs => %(after_s)s),
    given_up_at = CASE WHEN %(give_up)s THEN now() END
WHERE target = %(target)s AND message_no = %(message_no)s;

-- name: alert_outbox__say_again
UPDATE alert_delivery SET delivered_at = NULL, next_at = now()
FROM alert_message JOIN alert USING (alert_id)
WHERE alert_delivery.message_no = alert_message.message_no AND target = %(target)s
    AND (delivered_at > now() - %(lately)s::interval OR (ended_at IS NULL AND delivered_at IS NOT NULL));

-- name: alert_outbox__forget_targets
UPDATE alert_delivery SET given_up_at = now(), problem = 'no longer named in the settings'
WHERE delivered_at IS NULL AND given_up_at IS NULL AND target <> ALL (%(targets)s);

-- name: alert_outbox__outbox
WITH told AS (
    SELECT target, count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up,
        max(delivered_at) AS delivered_at
    FROM alert_delivery GROUP BY target
)
SELECT told.target, waits.waiting, told.given_up, waits.oldest_at, told.delivered_at,
    coalesce(waits.problem, '') AS problem
FROM told CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(created_at) AS oldest_at,
        (array_agg(problem ORDER BY message_no) FILTER (WHERE problem <> ''))[1] AS problem
    FROM alert_delivery JOIN alert_message USING (message_no)
    WHERE alert_delivery.target = told.target AND delivered_at IS NULL AND given_up_at IS NULL
) AS waits
ORDER BY told.target;

-- name: alert_outbox__newest_message
SELECT coalesce(max(message_no), 0)::bigint AS message_no FROM alert_message;

-- name: alert_outbox__messages_after
SELECT message_no, body FROM alert_message WHERE message_no > %(after)s ORDER BY message_no LIMIT 1000;

-- name: alert_outbox__messages_on
SELECT body FROM alert_message JOIN alert USING (alert_id)
WHERE ended_at IS NULL AND NOT ends ORDER BY message_no;

-- name: alert_outbox__alerts
SELECT alert.*, coalesce(alert_state.peak, alert.peak) AS peak_now,
    coalesce(alert_state.peak_at, alert.peak_at) AS peak_at_now,
    alert_state.value, alert_state.seen, alert_state.phase
FROM alert
LEFT JOIN alert_state ON alert_state.alert_id = alert.alert_id AND alert.ended_at IS NULL
WHERE (%(alert_id)s::text IS NULL OR alert.alert_id = %(alert_id)s)
    AND (%(on)s::boolean IS NULL OR (ended_at IS NULL) = %(on)s)
    AND (%(rule_id)s::text IS NULL OR alert.rule_id = %(rule_id)s)
    AND (%(thing_id)s::text IS NULL OR alert.thing_id = %(thing_id)s)
    AND (%(area_set_id)s::text IS NULL
        OR (alert.area_set_id = %(area_set_id)s
            AND (%(area_code)s::text IS NULL OR alert.area_code = %(area_code)s))
        OR alert.thing_id IN (
            SELECT area_thing.thing_id FROM area JOIN area_thing USING (area_id)
            WHERE area.area_set_id = %(area_set_id)s
                AND (%(area_code)s::text IS NULL OR area.code = %(area_code)s)))
    AND (%(start)s::timestamptz IS NULL OR ended_at IS NULL OR ended_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR started_at <= %(end)s)
    AND (%(after_time)s::timestamptz IS NULL
        OR (started_at, alert_no) < (%(after_time)s, %(after_no)s))
ORDER BY started_at DESC, alert_no DESC
LIMIT %(limit)s;

-- name: alert_outbox__alerts_on
SELECT count(*) AS alerts FROM alert WHERE ended_at IS NULL;

-- name: alerts__lock_alerts
SELECT pg_try_advisory_xact_lock(hashtext('tsuji alerts')) AS mine;

-- name: alerts__limit_alert_idleness
SET idle_in_transaction_session_timeout = '30s';

-- name: alerts__evaluator
SELECT holder, run, seen_at, judged_until, listening_since, problem,
    abs(extract(epoch FROM now() - seen_at)) < extract(epoch FROM %(lease)s::interval) AS alive,
    now() - seen_at AS seen_ago FROM alert_evaluator;

-- name: alerts__hold_evaluator
INSERT INTO alert_evaluator (holder, run, seen_at, problem)
VALUES (%(holder)s, %(run)s, now(), %(problem)s)
ON CONFLICT (singleton) DO UPDATE SET
    holder = excluded.holder, run = excluded.run, seen_at = now(), problem = excluded.problem;

-- name: alerts__hold_on
UPDATE alert_evaluator SET seen_at = clock_timestamp()
WHERE seen_at < clock_timestamp() - interval '2 seconds';

-- name: alerts__note_judged
UPDATE alert_evaluator SET judged_until = %(until)s;

-- name: alerts__note_listening
UPDATE alert_evaluator SET listening_since = %(since)s;

-- name: alerts__rules_in_force
SELECT rule_id, digest, document, problem FROM alert_rule ORDER BY place;

-- name: alerts__put_rule
INSERT INTO alert_rule (rule_id, place, digest, document)
VALUES (%(rule_id)s, %(place)s, %(digest)s, %(document)s)
ON CONFLICT (rule_id) DO UPDATE SET
    place = excluded.place, digest = excluded.digest, document = excluded.document, problem = '';

-- name: alerts__drop_rules
DELETE FROM alert_rule WHERE rule_id = ANY (%(rule_ids)s);

-- name: alerts__note_rule_problem
UPDATE alert_rule SET problem = %(problem)s WHERE rule_id = %(rule_id)s AND problem <> %(problem)s;

-- name: alerts__states
SELECT alert_state.*, alert.document, alert.thing_id, alert.area_set_id, alert.area_code
FROM alert_state LEFT JOIN alert USING (alert_id);

-- name: alerts__put_states
INSERT INTO alert_state (rule_id, subject, alert_id, phase, seen, value, start, peak, peak_at, clear_since)
SELECT * FROM unnest(%(rule_ids)s::text[], %(subjects)s::text[], %(alert_ids)s::text[],
    %(phases)s::text[], %(seens)s::timestamptz[], %(vals)s::float8[], %(starts)s::timestamptz[],
    %(peaks)s::float8[], %(peak_ats)s::timestamptz[], %(clear_sinces)s::timestamptz[])
ON CONFLICT (rule_id, subject) DO UPDATE SET
    alert_id = excluded.alert_id, phase = excluded.phase, seen = excluded.seen, value = excluded.value,
    start = excluded.start, peak = excluded.peak, peak_at = excluded.peak_at,
    clear_since = excluded.clear_since;

-- name: alerts__drop_states_of_rules
DELETE FROM alert_state WHERE rule_id = ANY (%(rule_ids)s);

-- name: alerts__begin_alert
INSERT INTO alert (alert_id, rule_id, subject, thing_id, area_set_id, area_code, started_at, peak, peak_at,
    document)
VALUES (%(alert_id)s, %(rule_id)s, %(subject)s, %(thing_id)s, %(area_set_id)s, %(area_code)s,
    %(start)s, %(peak)s, %(peak_at)s, %(document)s);

-- name: alerts__end_alert
UPDATE alert SET ended_at = %(end)s, end_reason = %(reason)s, peak = %(peak)s, peak_at = %(peak_at)s
WHERE alert_id = %(alert_id)s AND ended_at IS NULL
RETURNING alert_id;

-- name: alerts__put_message
WITH message AS (
    INSERT INTO alert_message (message_id, alert_id, ends, body)
    VALUES (%(message_id)s, %(alert_id)s, %(ends)s, %(body)s)
    RETURNING message_no
)
INSERT INTO alert_delivery (target, message_no)
SELECT target, message_no FROM message, unnest(%(targets)s::text[]) AS target;

-- name: alerts__heard
SELECT (SELECT max(phenomenon_time) FROM latest WHERE phenomenon_time <= %(now)s) AS heard,
    (SELECT max(last_stored_at) FROM ingest_counter) AS stored_at;

-- name: alerts__scoped_newest
SELECT thing_id, datastream_id, phenomenon_time, result
FROM thing JOIN datastream USING (thing_id) JOIN latest USING (datastream_id)
WHERE declared AND observed_property = %(observed_property)s
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s);

-- name: alerts__met_since
SELECT DISTINCT datastream_id FROM observation
WHERE datastream_id = ANY (%(datastream_ids)s::int4[]) AND phenomenon_time >= %(since)s
    AND CASE WHEN %(above)s THEN result >= %(threshold)s ELSE result <= %(threshold)s END;

-- name: alerts__observed_since
SELECT wanted.datastream_id, later.phenomenon_time, later.result
FROM unnest(%(datastream_ids)s::int4[], %(sinces)s::timestamptz[]) AS wanted (datastream_id, since)
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result FROM observation
    WHERE observation.datastream_id = wanted.datastream_id AND phenomenon_time >= wanted.since
        AND phenomenon_time >= %(oldest)s
    ORDER BY phenomenon_time LIMIT %(limit)s
) AS later
ORDER BY datastream_id, phenomenon_time;

-- name: alerts__scoped_heard
SELECT thing_id, max(phenomenon_time) AS heard, max(latest.period_s) AS period_s,
    (array_agg(datastream_id ORDER BY phenomenon_time DESC))[1] AS datastream_id
FROM thing JOIN datastream USING (thing_id) JOIN latest USING (datastream_id)
WHERE declared
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
GROUP BY thing_id
HAVING max(phenomenon_time) <= %(before)s OR thing_id = ANY (%(also)s);

-- name: alerts__recent_times
SELECT wanted.datastream_id, array_agg(newest.phenomenon_time) AS times
FROM unnest(%(datastream_ids)s::int4[]) AS wanted (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time FROM observation
    WHERE observation.datastream_id = wanted.datastream_id
    ORDER BY phenomenon_time DESC LIMIT %(limit)s
) AS newest
GROUP BY wanted.datastream_id;

-- name: alerts__scoped_things
SELECT thing_id FROM thing
WHERE (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s);

-- name: alerts__scoped_areas
SELECT code FROM area
WHERE area_set_id = %(area_set_id)s AND (%(codes)s::text[] IS NULL OR code = ANY (%(codes)s));

-- name: alerts__counting
SELECT thing_id, effective_width_m, capacity,
    count(*) FILTER (WHERE observed_property = ANY (%(both_ways)s)) = cardinality(%(both_ways)s::text[])
        AS both_ways,
    coalesce(bool_or(observed_property = %(pm2_5)s), false) AS pm2_5
FROM thing LEFT JOIN datastream USING (thing_id)
WHERE declared IS NOT FALSE
GROUP BY thing_id
HAVING effective_width_m IS NOT NULL OR capacity IS NOT NULL
    OR coalesce(bool_or(observed_property = %(pm2_5)s), false);

-- name: alerts__newest_until
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

-- name: alerts__forget_messages
DELETE FROM alert_message WHERE created_at < now() - %(age)s::interval
    AND NOT EXISTS (SELECT FROM alert WHERE alert.alert_id = alert_message.alert_id AND ended_at IS NULL)
    AND NOT EXISTS (SELECT FROM alert_delivery WHERE alert_delivery.message_no = alert_message.message_no
        AND delivered_at IS NULL AND given_up_at IS NULL);

-- name: areas__area_sets
SELECT area_set_id, area_set.name, area_set.name_en, kind, source, licence, imported_at,
    count(area_id) AS areas, min(west) AS west, min(south) AS south, max(east) AS east, max(north) AS north
FROM area_set LEFT JOIN area USING (area_set_id)
WHERE %(area_set_id)s::text IS NULL OR area_set_id = %(area_set_id)s
GROUP BY area_set_id
ORDER BY kind <> 'municipality', kind <> 'polygon', area_set_id;

-- name: areas__areas
SELECT code, area.name, area.name_en, display_geometry AS geometry, west, south, east, north,
    (SELECT count(*) FROM area_thing WHERE area_thing.area_id = area.area_id) AS things
FROM area WHERE area_set_id = %(area_set_id)s
    AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY code;

-- name: areas__area_shapes
SELECT area_id, geometry FROM area WHERE area_set_id = %(area_set_id)s ORDER BY code;

-- name: areas__membership
SELECT code, thing_id FROM area JOIN area_thing USING (area_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY code, thing_id;

-- name: areas__areas_of_thing
SELECT area_set_id, code, area.name, area.name_en FROM area JOIN area_thing USING (area_id)
WHERE thing_id = %(thing_id)s ORDER BY area_set_id, code;

-- name: areas__thing_points
SELECT thing_id, longitude, latitude FROM thing ORDER BY thing_id;

-- name: areas__lock_assignment
SELECT pg_advisory_xact_lock(hashtext('tsuji assignment'));

-- name: areas__put_area_set
INSERT INTO area_set (area_set_id, name, name_en, kind, source, licence)
VALUES (%(area_set_id)s, %(name)s, %(name_en)s, %(kind)s, %(source)s, %(licence)s)
ON CONFLICT (area_set_id) DO UPDATE SET
    name = excluded.name, name_en = excluded.name_en, kind = excluded.kind, source = excluded.source,
    licence = excluded.licence, imported_at = now();

-- name: areas__drop_areas
DELETE FROM area WHERE area_set_id = %(area_set_id)s;

-- name: areas__put_area
INSERT INTO area (area_set_id, code, name, name_en, west, south, east, north, geometry, display_geometry)
VALUES (%(area_set_id)s, %(code)s, %(name)s, %(name_en)s, %(west)s, %(south)s, %(east)s, %(north)s,
        %(geometry)s, %(display_geometry)s);

-- name: areas__drop_area_set
DELETE FROM area_set WHERE area_set_id = %(area_set_id)s RETURNING area_set_id;

-- name: areas__drop_assignment
DELETE FROM area_thing USING area
WHERE area_thing.area_id = area.area_id AND area.area_set_id = %(area_set_id)s;

-- name: areas__put_assignment
INSERT INTO area_thing (area_id, thing_id)
SELECT * FROM unnest(%(area_ids)s::int4[], %(thing_ids)s::text[]);

-- name: clock__last_stored
SELECT max(last_stored_at) AS last_stored_at FROM ingest_counter;

-- name: clock__misjudged
SELECT rejected_id,
    %(now)s - make_interval(secs => %(uptime_s)s - uptime_s) AS received_at
FROM rejected_message
WHERE rejected_id > %(after)s AND reason = 'future_time' AND boot_id = %(boot_id)s
    AND last_received_at
        < %(now)s - make_interval(secs => %(uptime_s)s - uptime_s) - make_interval(secs => %(tolerance_s)s)
ORDER BY uptime_s DESC, rejected_id DESC;

-- name: clock__rejected_by_id
SELECT rejected_id, topic, payload, last_received_at FROM rejected_message
WHERE rejected_id = ANY (%(rejected_ids)s);

-- name: clock__latest_astray
SELECT datastream_id FROM datastream
LEFT JOIN latest USING (datastream_id)
LEFT JOIN LATERAL (
    SELECT observation.phenomenon_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND observation.phenomenon_time <= %(newest)s
    ORDER BY observation.phenomenon_time DESC LIMIT 1
) AS found ON true
WHERE found.phenomenon_time IS DISTINCT FROM latest.phenomenon_time
ORDER BY datastream_id;

-- name: clock__lock_latest
SELECT datastream_id FROM latest WHERE datastream_id = ANY (%(datastream_ids)s)
ORDER BY datastream_id FOR UPDATE;

-- name: clock__settle_latest
INSERT INTO latest (datastream_id, phenomenon_time, result, period_s, received_at)
SELECT asked.datastream_id, found.phenomenon_time, found.result, found.period_s, %(now)s
FROM unnest(%(datastream_ids)s::int4[]) AS asked (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result, period_s FROM observation
    WHERE observation.datastream_id = asked.datastream_id AND phenomenon_time <= %(newest)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS found
ORDER BY 1
ON CONFLICT (datastream_id) DO UPDATE SET
    phenomenon_time = excluded.phenomenon_time, result = excluded.result,
    period_s = excluded.period_s, received_at = excluded.received_at,
    revision = pg_current_xact_id()
WHERE latest.phenomenon_time < excluded.phenomenon_time OR latest.phenomenon_time > %(newest)s;

-- name: clock__drop_latest
WITH dropped AS (
    DELETE FROM latest
    WHERE datastream_id = ANY (%(datastream_ids)s) AND phenomenon_time > %(newest)s
    RETURNING datastream_id
)
UPDATE datastream SET revision = pg_current_xact_id()
FROM dropped WHERE datastream.datastream_id = dropped.datastream_id;

-- name: columnstore__compressed_after
SELECT (config ->> 'compress_after')::interval AS after FROM timescaledb_information.jobs
WHERE proc_name = 'policy_compression' AND hypertable_name = 'observation';

-- name: columnstore__enable
ALTER TABLE observation SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'datastream_id', timescaledb.orderby = 'phenomenon_time DESC');

-- name: columnstore__remove_policy
CALL remove_columnstore_policy('observation'::regclass, if_exists => true);

-- name: columnstore__add_policy
CALL add_columnstore_policy('observation'::regclass, after => %(after)s::interval);

-- name: counting__exact
SELECT count(*) AS n FROM (
$query
) AS counted;

-- name: counting__estimated
EXPLAIN (FORMAT JSON) $query;

-- name: datasets__put_dataset
INSERT INTO dataset (dataset_id, kind, title, title_en, publisher, licence, source, data_date,
    data_date_precision, file_name, encoding, report, columns)
VALUES (%(dataset_id)s, %(kind)s, %(title)s, %(title_en)s, %(publisher)s, %(licence)s, %(source)s,
    %(data_date)s, %(data_date_precision)s, %(file_name)s, %(encoding)s, %(report)s, %(columns)s);

-- name: datasets__drop_dataset
DELETE FROM dataset WHERE dataset_id = %(dataset_id)s RETURNING dataset_id;

-- name: datasets__stage_features
CREATE TEMPORARY TABLE feature_stage ON COMMIT DROP AS
SELECT number, line, name, name_en, address, code, code_from, code_to, longitude, latitude, capacity, flags,
    fields, properties
FROM feature WITH NO DATA;

-- name: datasets__copy_features
COPY feature_stage (number, line, name, name_en, address, code, code_from, code_to, longitude, latitude,
    capacity, flags, fields, properties) FROM STDIN;

-- name: datasets__put_features
INSERT INTO feature (dataset_id, number, line, name, name_en, address, code, code_from, code_to, longitude,
    latitude, capacity, flags, fields, properties)
SELECT %(dataset_id)s, number, line, name, name_en, address, code, code_from, code_to, longitude,
    latitude, capacity, flags, fields, properties
FROM feature_stage ORDER BY number;

-- name: datasets__stage_population
CREATE TEMPORARY TABLE population_stage (
    number int4, code text, region_code text, region text, series text, count_date date,
    count_date_precision text, measure text, sex text, age_from int2, age_to int2, count bigint
) ON COMMIT DROP;

-- name: datasets__copy_population
COPY population_stage FROM STDIN;

-- name: datasets__put_population
INSERT INTO population (feature_id, dataset_id, code, region_code, region, series, count_date,
    count_date_precision, measure, sex, age_from, age_to, count)
SELECT feature_id, dataset_id, stage.code, region_code, region, series, count_date, count_date_precision,
    measure, sex, age_from, age_to, count
FROM population_stage AS stage JOIN feature ON feature.dataset_id = %(dataset_id)s
    AND feature.number = stage.number
ORDER BY stage.number;

-- name: datasets__datasets
SELECT dataset_id, kind, title, title_en, publisher, licence, source, data_date, data_date_precision,
    file_name, encoding, report, columns, imported_at,
    (SELECT count(*) FROM feature WHERE feature.dataset_id = dataset.dataset_id) AS features
FROM dataset
WHERE %(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s
ORDER BY dataset_id;

-- name: datasets__features
SELECT number, line, name, name_en, address, code, position_code, longitude, latitude, capacity, flags, fields,
    properties, contradicts
FROM placed_feature AS it
WHERE dataset_id = %(dataset_id)s AND number > %(after)s
    AND (%(west)s::float8 IS NULL OR (longitude BETWEEN %(west)s AND %(east)s
        AND latitude BETWEEN %(south)s AND %(north)s))
    AND (%(area_code)s::text IS NULL OR it.code = %(area_code)s)
    AND (%(area_id)s::int4 IS NULL OR EXISTS (
        SELECT FROM feature_area WHERE area_id = %(area_id)s AND feature_area.feature_id = it.feature_id))
    AND (%(flagged)s::boolean IS NULL OR %(flagged)s = (contradicts OR flags <> '{}'))
    AND (%(flag)s::text IS NULL OR %(flag)s = ANY (flags)
        OR (contradicts AND %(flag)s = 'position_contradicts_code'))
ORDER BY number
LIMIT %(limit)s;

-- name: datasets__area_id
SELECT area_id FROM area WHERE area_set_id = %(area_set_id)s AND code = %(code)s;

-- name: datasets__contradicting
SELECT dataset_id, count(*) AS features FROM placed_feature
WHERE contradicts AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
GROUP BY dataset_id;

-- name: datasets__counts_by_code
SELECT feature.code AS area_code, dataset_id, count(*) AS features,
    count(capacity) AS with_capacity, sum(capacity) AS capacity
FROM area JOIN feature ON feature.code = area.code JOIN dataset USING (dataset_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
    AND (%(kinds)s::text[] IS NULL OR dataset.kind = ANY (%(kinds)s))
GROUP BY feature.code, dataset_id
ORDER BY area_code, dataset_id;

-- name: datasets__counts_by_position
SELECT area.code AS area_code, dataset_id, count(*) AS features,
    count(capacity) AS with_capacity, sum(capacity) AS capacity
FROM area JOIN feature_area USING (area_id) JOIN feature USING (feature_id) JOIN dataset USING (dataset_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
    AND (%(kinds)s::text[] IS NULL OR dataset.kind = ANY (%(kinds)s))
    AND (NOT %(uncoded)s OR feature.code IS NULL
        OR (area.code COLLATE "C" BETWEEN feature.code_from AND feature.code_to AND NOT EXISTS (
            SELECT FROM area AS named
            WHERE named.area_set_id = %(area_set_id)s AND named.code = feature.code)))
GROUP BY area.code, dataset_id
ORDER BY area_code, dataset_id;

-- name: datasets__points
SELECT feature_id, longitude, latitude FROM feature
WHERE longitude IS NOT NULL AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
ORDER BY feature_id;

-- name: datasets__put_places
INSERT INTO feature_area (area_id, feature_id)
SELECT * FROM unnest(%(area_ids)s::int4[], %(feature_ids)s::bigint[]);

-- name: datasets__analyze
ANALYZE feature, feature_area, population;

-- name: export__streams
SELECT datastream_id, thing_id, observed_property, owner, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
FROM datastream JOIN thing USING (thing_id)
WHERE (%(things)s::text[] IS NULL OR thing_id = ANY (%(things)s))
    AND (%(properties)s::text[] IS NULL OR observed_property = ANY (%(properties)s))
    AND (%(area_set)s::text IS NULL OR thing_id IN (
        SELECT area_thing.thing_id FROM area_thing JOIN area USING (area_id)
        WHERE area_set_id = %(area_set)s AND (%(areas)s::text[] IS NULL OR code = ANY (%(areas)s))))
ORDER BY datastream_id;

-- name: export__thing_ids
SELECT thing_id AS name FROM thing;

-- name: export__property_ids
SELECT DISTINCT observed_property AS name FROM datastream;

-- name: export__area_set_ids
SELECT area_set_id AS name FROM area_set;

-- name: export__area_codes
SELECT code AS name FROM area WHERE area_set_id = %(area_set)s;

-- name: export__area_credit
SELECT source, licence FROM area_set WHERE area_set_id = %(area_set)s;

-- name: export__moment
SELECT now() AS now;

-- name: export__pending
SELECT EXISTS (
    SELECT FROM changed JOIN datastream ON datastream_block = datastream_id >> 5
        AND members & (1::int8 << (datastream_id & 31)) <> 0
    WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
        AND last_bucket > floor(extract(epoch FROM %(start)s) / 300)
        AND first_bucket <= ceil(extract(epoch FROM %(end)s) / 300)
) AS pending;

-- name: export__extent_0
SELECT min(first.time) AS first, max(last.time) AS last
FROM unnest(%(datastream_ids)s::int4[]) AS asked (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = asked.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time LIMIT 1
) AS first
CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = asked.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS last;

-- name: export__extent_300
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_5min
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: export__extent_3600
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_hour
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: export__extent_86400
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_day
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: export__copy_0
COPY (
    SELECT datastream_id, coalesce(period_s, 0), phenomenon_time, result FROM observation
    WHERE phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, phenomenon_time
) TO STDOUT (FORMAT binary);

-- name: export__copy_300
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_5min
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: export__copy_3600
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_hour
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: export__copy_86400
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_day
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: export__copy_told
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest,
        coalesce(sine, 0) AS sine, coalesce(cosine, 0) AS cosine, 0 AS left_out
    FROM rollup_5min
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
        AND datastream_id <> ALL (%(counted)s::int4[])
    UNION ALL
    SELECT datastream_id, CASE WHEN is_told THEN n ELSE 0 END, bucket_end,
        CASE WHEN is_told THEN total ELSE 0 END, CASE WHEN is_told THEN lowest ELSE 0 END,
        CASE WHEN is_told THEN highest ELSE 0 END, 0, 0, CASE WHEN is_told THEN 0 ELSE n END
    FROM rollup_5min
    JOIN unnest(%(counted)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
        USING (datastream_id)
    CROSS JOIN LATERAL (SELECT highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s AND bucket_end <= %(kept)s
    UNION ALL
    SELECT datastream_id, count(*) FILTER (WHERE is_told)::int4,
        date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        coalesce(sum(result) FILTER (WHERE is_told), 0), coalesce(min(result) FILTER (WHERE is_told), 0),
        coalesce(max(result) FILTER (WHERE is_told), 0), 0, 0, count(*) FILTER (WHERE NOT is_told)::int4
    FROM observation
    JOIN unnest(%(counted)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
        USING (datastream_id)
    CROSS JOIN LATERAL (SELECT result <= 0 OR result >= small_below AS is_told) AS rule
    WHERE phenomenon_time > %(first)s AND phenomenon_time <= %(end)s AND phenomenon_time > %(kept)s
    GROUP BY 1, 3
    ORDER BY 1, 3
) TO STDOUT (FORMAT binary);

-- name: finding__chosen_things
SELECT thing_id FROM thing
WHERE (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(west)s::float8 IS NULL OR (longitude >= %(west)s AND longitude <= %(east)s
        AND latitude >= %(south)s AND latitude <= %(north)s))
    AND (%(observed_properties)s::text[] IS NULL OR EXISTS (
        SELECT FROM datastream
        WHERE datastream.thing_id = thing.thing_id AND declared
            AND observed_property = ANY (%(observed_properties)s)))
    AND (%(area_set_id)s::text IS NULL OR thing_id IN (
        SELECT area_thing.thing_id FROM area_thing JOIN area USING (area_id)
        WHERE area_set_id = %(area_set_id)s
            AND (%(codes)s::text[] IS NULL OR code = ANY (%(codes)s))))
ORDER BY thing_id;

-- name: finding__thing_ids
SELECT thing_id AS name FROM thing ORDER BY thing_id;

-- name: finding__area_codes
SELECT code AS name FROM area WHERE area_set_id = %(area_set_id)s ORDER BY code;

-- name: finding__datastreams
SELECT thing_id, observed_property, phenomenon_time, result, latest.period_s,
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
FROM datastream LEFT JOIN latest USING (datastream_id)
WHERE declared
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(observed_properties)s::text[] IS NULL OR observed_property = ANY (%(observed_properties)s))
    AND (%(after_thing)s::text IS NULL
        OR (thing_id, observed_property) > (%(after_thing)s, %(after_property)s))
ORDER BY thing_id, observed_property
LIMIT %(limit)s;

-- name: finding__observations_of_thing
SELECT phenomenon_time FROM observation
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream
        WHERE thing_id = %(thing_id)s
            AND (%(observed_property)s::text IS NULL OR observed_property = %(observed_property)s)))
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
LIMIT %(limit)s;

-- name: history__stale
SELECT datastream_id, thing_id, observed_property, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below,
    range_agg(int4range(first_bucket, last_bucket, '[]')) FILTER (WHERE first_bucket IS NOT NULL) AS buckets
FROM datastream
LEFT JOIN changed ON late = ANY ('{true,false}') AND datastream_block = datastream_id >> 5
    AND members & (1::int8 << (datastream_id & 31)) <> 0
    AND last_bucket >= %(first_bucket)s AND first_bucket <= %(last_bucket)s
WHERE thing_id = ANY (%(thing_ids)s) AND observed_property = ANY (%(observed_properties)s)
GROUP BY datastream_id;

-- name: history__pieces_raw
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (SELECT piece.datastream_id = ANY (%(directions)s::int4[]) AS is_direction) AS kind
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        count(*), coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
        coalesce(max(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
        sum(CASE WHEN is_direction THEN sin(radians(result)) ELSE 0 END),
        sum(CASE WHEN is_direction THEN cos(radians(result)) ELSE 0 END),
        count(*) FILTER (WHERE result > 0 AND result < small_below)
    FROM observation
    WHERE observation.datastream_id = piece.datastream_id
        AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    GROUP BY 1
) AS part;

-- name: history__pieces_5min
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, coalesce(sum(total) FILTER (WHERE is_told), 0),
        coalesce(max(highest) FILTER (WHERE is_told), 0), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        coalesce(sum(n) FILTER (WHERE NOT is_told), 0)::int8
    FROM rollup_5min
    CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE rollup_5min.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: history__pieces_hour
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, coalesce(sum(total) FILTER (WHERE is_told), 0),
        coalesce(max(highest) FILTER (WHERE is_told), 0), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        coalesce(sum(n) FILTER (WHERE NOT is_told), 0)::int8
    FROM rollup_hour
    CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE rollup_hour.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: history__pieces_day
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, coalesce(sum(total) FILTER (WHERE is_told), 0),
        coalesce(max(highest) FILTER (WHERE is_told), 0), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        coalesce(sum(n) FILTER (WHERE NOT is_told), 0)::int8
    FROM rollup_day
    CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE rollup_day.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: history__buckets
SELECT piece.datastream_id, bucket_end, n, CASE WHEN is_told THEN total ELSE 0 END,
    CASE WHEN is_told THEN highest ELSE 0 END, coalesce(sine, 0), coalesce(cosine, 0),
    CASE WHEN is_told THEN 0 ELSE n END
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN rollup_5min ON rollup_5min.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule;

-- name: history__presence
SELECT declared, registered_at, latest.phenomenon_time AS last_time,
    EXISTS (SELECT FROM rollup_day WHERE rollup_day.datastream_id = datastream.datastream_id
        AND bucket_end <= %(start)s)
    OR EXISTS (SELECT FROM observation WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s - interval '1 day' AND phenomenon_time <= %(start)s)
    OR EXISTS (SELECT FROM changed WHERE late = ANY ('{true,false}')
        AND datastream_block = datastream_id >> 5 AND members & (1::int8 << (datastream_id & 31)) <> 0
        AND first_bucket <= %(first_bucket)s) AS began_before,
    (SELECT phenomenon_time FROM observation WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
     ORDER BY phenomenon_time LIMIT 1) AS first_time
FROM datastream
JOIN thing USING (thing_id)
LEFT JOIN latest USING (datastream_id)
WHERE thing_id = ANY (%(thing_ids)s) AND observed_property = ANY (%(observed_properties)s);

-- name: history__refused
SELECT range_agg(tstzrange(
    date_bin(%(step)s, since - interval '1 microsecond', %(origin)s),
    date_bin(%(step)s, until - interval '1 microsecond', %(origin)s) + %(step)s, '(]')) AS steps
FROM rejected_message
CROSS JOIN LATERAL (
    SELECT greatest(first_received_at, %(start)s) AS since, least(last_received_at, %(end)s) AS until
    WHERE seen > 2
    UNION ALL
    SELECT time, time FROM unnest(ARRAY[first_received_at, last_received_at]) AS time
    WHERE seen <= 2 AND time > %(start)s AND time <= %(end)s
) AS arrived
WHERE thing_id = ANY (%(thing_ids)s)
    AND last_received_at > %(start)s AND first_received_at <= %(end)s
    AND (observed_properties = '{}' OR observed_properties && %(observed_properties)s::text[]);

-- name: history_combined__whole_steps
SELECT bucket_end, count(*), coalesce(sum(total) FILTER (WHERE is_told), 0),
    coalesce(sum(total / n) FILTER (WHERE is_told), 0), coalesce(max(highest) FILTER (WHERE is_told), 0),
    coalesce(sum(sine / vector) FILTER (WHERE vector >= 1e-9), 0),
    coalesce(sum(cosine / vector) FILTER (WHERE vector >= 1e-9), 0),
    coalesce(sum(n) FILTER (WHERE NOT is_told), 0)::int8
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN (
    SELECT *, sqrt(sine * sine + cosine * cosine) AS vector FROM rollup_5min
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
) AS bucket ON bucket.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule
GROUP BY bucket_end;

-- name: history_combined__longer_steps
SELECT step_end, count(*), sum(total), sum(total / n), max(highest),
    coalesce(sum(sine / vector) FILTER (WHERE vector >= 1e-9), 0),
    coalesce(sum(cosine / vector) FILTER (WHERE vector >= 1e-9), 0), sum(left_out)::int8
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s AS step_end,
        sum(n) AS n, coalesce(sum(total) FILTER (WHERE is_told), 0) AS total,
        coalesce(max(highest) FILTER (WHERE is_told), 0) AS highest,
        coalesce(sum(n) FILTER (WHERE NOT is_told), 0) AS left_out,
        sum(sine) AS sine, sum(cosine) AS cosine,
        sqrt(sum(sine) * sum(sine) + sum(cosine) * sum(cosine)) AS vector
    FROM rollup_5min
    CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE rollup_5min.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part
GROUP BY step_end;

-- name: history_combined__steps_raw
SELECT step_end, count(*), sum(total), sum(total / n), max(highest),
    coalesce(sum(sine / vector) FILTER (WHERE vector >= 1e-9), 0),
    coalesce(sum(cosine / vector) FILTER (WHERE vector >= 1e-9), 0), sum(left_out)::int8
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (SELECT piece.datastream_id = ANY (%(directions)s::int4[]) AS is_direction) AS kind
CROSS JOIN LATERAL (
    SELECT *, sqrt(sine * sine + cosine * cosine) AS vector FROM (
        SELECT date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s
                AS step_end,
            count(*) AS n, count(*) FILTER (WHERE result > 0 AND result < small_below) AS left_out,
            coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS total,
            coalesce(max(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS highest,
            sum(CASE WHEN is_direction THEN sin(radians(result)) END) AS sine,
            sum(CASE WHEN is_direction THEN cos(radians(result)) END) AS cosine
        FROM observation
        WHERE observation.datastream_id = piece.datastream_id
            AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
            AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        GROUP BY 1
    ) AS step
) AS part
GROUP BY step_end;

-- name: history_combined__periods
SELECT piece.datastream_id, longest_s, sum(n)::int8,
    CASE WHEN shortest_s <> longest_s THEN bucket_end END AS of_several
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN rollup_5min ON rollup_5min.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
WHERE longest_s IS NOT NULL
GROUP BY 1, 2, 4;

-- name: history_combined__periods_raw
SELECT piece.datastream_id, period_s, count(*), NULL::timestamptz
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN observation ON observation.datastream_id = piece.datastream_id
    AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
WHERE period_s IS NOT NULL
GROUP BY 1, 2;

-- name: history_retention__limit_waiting
SET LOCAL lock_timeout = '800ms';

-- name: history_retention__lock_refresh
SELECT pg_advisory_xact_lock(hashtext('tsuji rollups'));

-- name: history_retention__lock_writers
LOCK TABLE ONLY observation IN SHARE ROW EXCLUSIVE MODE;

-- name: history_retention__reference
SELECT max(phenomenon_time) AS newest FROM latest WHERE phenomenon_time <= %(now)s;

-- name: history_retention__has_timescaledb
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS there;

-- name: history_retention__hypertables
SELECT hypertable_name AS name FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema();

-- name: history_retention__chunks
SELECT range_end, pg_total_relation_size(format('%%I.%%I', chunk_schema, chunk_name)::regclass) AS octets
FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = %(name)s
    AND range_end <= %(until)s
ORDER BY range_end;

-- name: history_retention__drop_chunks
SELECT drop_chunks(%(name)s::regclass, older_than => %(until)s::timestamptz);

-- name: history_retention__pending
SELECT EXISTS (SELECT FROM changed WHERE first_bucket <= ceil(extract(epoch FROM %(until)s) / 300))
    OR EXISTS (SELECT FROM stale_profile
        WHERE day::timestamp AT TIME ZONE interval '9 hours' < %(until)s) AS pending;

-- name: history_retention__late_is_fresh
SELECT EXISTS (SELECT FROM horizon
    WHERE width_s = %(width_s)s AND late_last > now() - %(grace)s::interval
        AND late_since > now() - %(longest)s::interval) AS fresh;

-- name: history_retention__move_horizon
INSERT INTO horizon AS h (width_s, since, drops) VALUES (%(width_s)s, %(until)s, 1)
ON CONFLICT (width_s) DO UPDATE SET
    since = greatest(h.since, excluded.since), drops = h.drops + 1, dropped_at = now(),
    late_since = CASE WHEN excluded.since < h.since THEN h.late_since END,
    late_last = CASE WHEN excluded.since < h.since THEN h.late_last END,
    too_late = h.too_late + %(too_late)s;

-- name: history_retention__too_late
SELECT count(*) AS late, count(*) FILTER (WHERE
    EXISTS (SELECT FROM rollup_5min
        WHERE rollup_5min.datastream_id = datastream.datastream_id
            AND bucket_end = five_end AND drops IS DISTINCT FROM %(raw_drops)s::int4)
    OR five_end <= %(five_since)s::timestamptz AND EXISTS (SELECT FROM rollup_hour
        WHERE rollup_hour.datastream_id = datastream.datastream_id
            AND bucket_end >= five_end AND bucket_end < five_end + interval '1 hour'
            AND drops IS DISTINCT FROM %(five_drops)s::int4)
    OR five_end <= %(hour_since)s::timestamptz AND EXISTS (SELECT FROM rollup_day
        WHERE rollup_day.datastream_id = datastream.datastream_id
            AND bucket_end >= five_end AND bucket_end < five_end + interval '1 day'
            AND drops IS DISTINCT FROM %(hour_drops)s::int4)
) AS too_late
FROM datastream
CROSS JOIN LATERAL (
    SELECT date_bin('5 minutes', phenomenon_time - interval '1 microsecond', 'epoch')
        + interval '5 minutes' AS five_end
    FROM observation
    WHERE observation.datastream_id = datastream.datastream_id AND phenomenon_time <= %(until)s
) AS late;

-- name: history_retention__oldest_0
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id ORDER BY phenomenon_time LIMIT 1
) AS first;

-- name: history_retention__oldest_300
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT bucket_end AS time FROM rollup_5min
    WHERE rollup_5min.datastream_id = datastream.datastream_id ORDER BY bucket_end LIMIT 1
) AS first;

-- name: history_retention__oldest_3600
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT bucket_end AS time FROM rollup_hour
    WHERE rollup_hour.datastream_id = datastream.datastream_id ORDER BY bucket_end LIMIT 1
) AS first;

-- name: history_retention__count_0
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM observation
        WHERE observation.datastream_id = datastream.datastream_id AND phenomenon_time <= %(until)s
        ORDER BY phenomenon_time LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: history_retention__count_300
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM rollup_5min
        WHERE rollup_5min.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: history_retention__count_3600
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM rollup_hour
        WHERE rollup_hour.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: history_retention__delete_0
DELETE FROM observation WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM observation
        WHERE observation.datastream_id = datastream.datastream_id AND phenomenon_time <= %(until)s
        ORDER BY phenomenon_time LIMIT 1000000000
    ) AS one
));

-- name: history_retention__delete_300
DELETE FROM rollup_5min WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM rollup_5min
        WHERE rollup_5min.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT 1000000000
    ) AS one
));

-- name: history_retention__delete_3600
DELETE FROM rollup_hour WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM rollup_hour
        WHERE rollup_hour.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT 1000000000
    ) AS one
));

-- name: history_retention__delete_rest_0
DELETE FROM observation
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND phenomenon_time <= %(until)s;

-- name: history_retention__delete_rest_300
DELETE FROM rollup_5min
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND bucket_end <= %(until)s;

-- name: history_retention__delete_rest_3600
DELETE FROM rollup_hour
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND bucket_end <= %(until)s;

-- name: horizon__horizons
SELECT width_s, since, drops, late_since, too_late, dropped_at FROM horizon ORDER BY width_s;

-- name: horizon__one_moment
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: horizon__drops
SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    THEN (SELECT coalesce(sum(drops), 0) FROM horizon) END AS drops;

-- name: horizon__sealed
SELECT run.datastream_id, sealed.first_bucket, sealed.last_bucket
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
CROSS JOIN LATERAL (
    SELECT to_timestamp(run.first_bucket * 300::float8) AS first_end,
        to_timestamp(run.last_bucket * 300::float8) AS last_end
) AS span
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM bucket_end) / 300)::int4 AS first_bucket,
        (extract(epoch FROM bucket_end) / 300)::int4 AS last_bucket
    FROM rollup_5min
    WHERE rollup_5min.datastream_id = run.datastream_id
        AND bucket_end >= first_end AND bucket_end <= last_end
        AND bucket_end >= %(start)s AND bucket_end <= %(end)s
        AND bucket_end <= %(raw_since)s::timestamptz AND drops IS DISTINCT FROM %(raw_drops)s::int4
    UNION ALL
    SELECT (extract(epoch FROM bucket_end) / 300)::int4 - 11,
        (extract(epoch FROM bucket_end) / 300)::int4
    FROM rollup_hour
    WHERE rollup_hour.datastream_id = run.datastream_id
        AND bucket_end >= first_end AND bucket_end < last_end + interval '1 hour'
        AND bucket_end >= %(start)s AND bucket_end < %(end)s::timestamptz + interval '1 hour'
        AND bucket_end <= %(five_since)s::timestamptz AND drops IS DISTINCT FROM %(five_drops)s::int4
    UNION ALL
    SELECT (extract(epoch FROM bucket_end) / 300)::int4 - 287,
        (extract(epoch FROM bucket_end) / 300)::int4
    FROM rollup_day
    WHERE rollup_day.datastream_id = run.datastream_id
        AND bucket_end >= first_end AND bucket_end < last_end + interval '1 day'
        AND bucket_end <= %(hour_since)s::timestamptz AND drops IS DISTINCT FROM %(hour_drops)s::int4
) AS sealed;

-- name: horizon__late_observations
SELECT count(*) AS n, min(phenomenon_time) AS earliest
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
CROSS JOIN LATERAL (
    SELECT phenomenon_time FROM observation
    WHERE observation.datastream_id = run.datastream_id
        AND phenomenon_time > to_timestamp((run.first_bucket - 1) * 300::float8)
        AND phenomenon_time <= to_timestamp(run.last_bucket * 300::float8)
        AND phenomenon_time > %(start)s::timestamptz - interval '5 minutes'
        AND phenomenon_time <= %(end)s
) AS late;

-- name: horizon__note_late
UPDATE horizon SET late_since = coalesce(late_since, now()), late_last = now()
WHERE since >= %(earliest)s;

-- name: horizon__mark_5min
UPDATE rollup_5min SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_5min.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 300::float8)
    AND bucket_end <= to_timestamp(run.last_bucket * 300::float8)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;

-- name: horizon__mark_hour
UPDATE rollup_hour SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_hour.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 3600::float8)
    AND bucket_end <= to_timestamp(run.last_bucket * 3600::float8)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;

-- name: horizon__mark_day
UPDATE rollup_day SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_day.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 86400::float8 - 32400)
    AND bucket_end <= to_timestamp(run.last_bucket * 86400::float8 - 32400)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;

-- name: imports__begin_import
INSERT INTO import_progress (import_id, source, rejected_file)
VALUES (%(import_id)s, %(source)s, %(rejected_file)s)
ON CONFLICT (import_id) DO UPDATE SET updated_at = import_progress.updated_at
RETURNING *;

-- name: imports__find_import
SELECT * FROM import_progress WHERE import_id = %(import_id)s;

-- name: imports__forget_import
DELETE FROM import_progress WHERE import_id = %(import_id)s;

-- name: imports__advance_import
UPDATE import_progress SET
    updated_at = now(),
    finished_at = CASE WHEN %(finished)s THEN now() END,
    rows_done = %(rows_done)s, lines_done = %(lines_done)s, bytes_done = %(bytes_done)s,
    stored = %(stored)s, duplicate = %(duplicate)s, corrected = %(corrected)s,
    rejected = %(rejected)s, kept = %(kept)s,
    first_time = %(first_time)s, last_time = %(last_time)s, reasons = %(reasons)s,
    rejected_file = %(rejected_file)s, rejected_bytes = %(rejected_bytes)s
WHERE import_id = %(import_id)s AND finished_at IS NULL
    AND rows_done = %(rows_before)s AND lines_done = %(lines_before)s
RETURNING finished_at;

-- name: imports__lock_import
SELECT rows_done, lines_done FROM import_progress WHERE import_id = %(import_id)s FOR UPDATE;

-- name: imports__claim_import
SELECT pg_try_advisory_lock(hashtextextended('tsuji import ' || %(import_id)s, 0)) AS ours,
    set_config('application_name', %(name)s, false);

-- name: imports__holder_of_import
SELECT pid, application_name AS name, backend_start AS since
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::int8 << 32) | objid::int8 = hashtextextended('tsuji import ' || %(import_id)s, 0);

-- name: imports__end_connection
SELECT pg_terminate_backend(%(pid)s);

-- name: imports__unclaim_import
SELECT pg_advisory_unlock(hashtextextended('tsuji import ' || %(import_id)s, 0));

-- name: imports__count_kept
SELECT count(*) AS kept
FROM stage JOIN observation USING (datastream_id, phenomenon_time)
WHERE (observation.result, observation.period_s) IS DISTINCT FROM (stage.result, stage.period_s);

-- name: imports__compare_stage
SELECT count(*) FILTER (WHERE o.datastream_id IS NULL) AS absent,
    count(*) FILTER (WHERE o.datastream_id IS NOT NULL
        AND (o.result, o.period_s) IS DISTINCT FROM (stage.result, stage.period_s)) AS other
FROM stage LEFT JOIN observation AS o USING (datastream_id, phenomenon_time);

-- name: imports__declared_datastreams
SELECT thing_id, observed_property FROM datastream WHERE thing_id = ANY (%(thing_ids)s) AND declared
ORDER BY datastream_id;

-- name: keys__add_key
INSERT INTO api_key (key_id, name, digest, scopes, rate_per_minute, expires_at)
VALUES (%(key_id)s, %(name)s, %(digest)s, %(scopes)s, %(rate_per_minute)s, %(expires_at)s)
RETURNING key_id;

-- name: keys__key
SELECT key_id, name, digest, scopes, rate_per_minute, created_at, expires_at, revoked_at
FROM api_key WHERE key_id = %(key_id)s;

-- name: keys__keys
SELECT key_id, name, digest, scopes, rate_per_minute, created_at, expires_at, revoked_at
FROM api_key ORDER BY created_at DESC, key_id;

-- name: keys__revoke_key
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %(key_id)s
RETURNING key_id;

-- name: keys__take
INSERT INTO allowance AS a (subject, began_at, used, granted)
SELECT %(subject)s, now(), part, part
FROM (SELECT least(%(wanted)s, greatest(1, %(quota)s / 8), %(quota)s) AS part) AS share
ON CONFLICT (subject) DO UPDATE SET
    (began_at, used, granted) = (
        SELECT
            CASE WHEN over THEN now() ELSE a.began_at END,
            before + part,
            part
        FROM (
            SELECT
                over,
                before,
                greatest(0, least(
                    %(wanted)s, greatest(1, (%(quota)s - before) / 8), %(quota)s - before
                )) AS part
            FROM (
                SELECT
                    a.began_at <= now() - %(window)s AS over,
                    CASE WHEN a.began_at <= now() - %(window)s THEN 0 ELSE a.used END AS before
            ) AS minute
        ) AS share
    )
RETURNING granted, greatest(%(quota)s - used, 0) AS remaining,
    greatest(extract(epoch FROM began_at + %(window)s - now()), 0)::float8 AS resets_in_s;

-- name: keys__forget_allowances
WITH old AS MATERIALIZED (
    SELECT subject FROM allowance WHERE began_at < now() - 2 * %(window)s::interval
    LIMIT %(at_once)s FOR UPDATE SKIP LOCKED
)
DELETE FROM allowance USING old WHERE allowance.subject = old.subject;

-- name: keys__key_ids
SELECT key_id FROM api_key WHERE revoked_at IS NULL;

-- name: live__may_read_control
SELECT has_function_privilege('pg_control_system()', 'execute')
    AND has_function_privilege('pg_control_checkpoint()', 'execute') AS may;

-- name: live__identity
SELECT system_identifier::text || '/' || timeline_id || '/' || pg_database.oid AS identity
FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database();

-- name: live__identity_by_name
SELECT pg_database.oid || '/' || datname AS identity
FROM pg_database WHERE datname = current_database();

-- name: live__look
SELECT taken.*, changed.*
FROM (
    SELECT pg_current_snapshot()::text AS snapshot,
        coalesce((SELECT version FROM registry), 0) AS registry,
        (SELECT max(lag_s) FROM ingest_counter WHERE seen_at > now() - interval '30 s') AS lag_s
) AS taken
LEFT JOIN (
    SELECT datastream_id, thing_id, observed_property, declared, phenomenon_time, result,
        latest.period_s, received_at, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below,
        greatest(datastream.revision, latest.revision)::text AS revision
    FROM datastream LEFT JOIN latest USING (datastream_id)
    WHERE %(since)s::pg_snapshot IS NULL
        OR NOT pg_visible_in_snapshot(datastream.revision, %(since)s::pg_snapshot)
        OR NOT pg_visible_in_snapshot(latest.revision, %(since)s::pg_snapshot)
) AS changed ON true
ORDER BY thing_id, datastream_id;

-- name: live__kinds
SELECT DISTINCT kind FROM thing ORDER BY kind;

-- name: live__area_boxes
SELECT code, west, south, east, north FROM area WHERE area_set_id = %(area_set_id)s;

-- name: live__alerts_after
SELECT message_no, body, document ->> 'observed_property' AS observed_property,
    document ->> 'figure' AS figure
FROM alert_message JOIN alert USING (alert_id)
WHERE message_no > %(after)s ORDER BY message_no LIMIT %(limit)s;

-- name: live__alerts_on
SELECT message_no, body, document ->> 'observed_property' AS observed_property,
    document ->> 'figure' AS figure
FROM alert_message JOIN alert USING (alert_id)
WHERE ended_at IS NULL AND NOT ends ORDER BY message_no;

-- name: live__newest_alert_message
SELECT coalesce(max(message_no), 0)::bigint AS message_no FROM alert_message;

-- name: live_publisher__limit_publisher_idleness
SET idle_in_transaction_session_timeout = '60s';

-- name: live_publisher__lock_publisher
SELECT pg_try_advisory_xact_lock(hashtext('tsuji live publisher')) AS mine;

-- name: live_publisher__go_on
SELECT 1 AS alive;

-- name: live_publisher__published
SELECT published::text AS published FROM live_publisher
WHERE broker = %(broker)s AND published IS NOT NULL;

-- name: live_publisher__publisher
SELECT holder, broker, seen_at FROM live_publisher;

-- name: live_publisher__put_published
INSERT INTO live_publisher (holder, run, seen_at, broker, published)
VALUES (%(holder)s, %(run)s, now(), %(broker)s, %(published)s::pg_snapshot)
ON CONFLICT (singleton) DO UPDATE SET
    holder = excluded.holder, run = excluded.run, seen_at = now(), broker = excluded.broker,
    published = excluded.published;

-- name: live_publisher__withdrawn
DELETE FROM live_publisher;

-- name: neighbours__unmeasured
SELECT area_id, geometry FROM area WHERE area_set_id = %(area_set_id)s AND area_m2 IS NULL;

-- name: neighbours__put_measures
UPDATE area SET area_m2 = measured.area_m2, centre_longitude = measured.longitude,
    centre_latitude = measured.latitude
FROM unnest(%(area_ids)s::int4[], %(areas_m2)s::float8[], %(longitudes)s::float8[], %(latitudes)s::float8[])
    AS measured (area_id, area_m2, longitude, latitude)
WHERE area.area_id = measured.area_id;

-- name: neighbours__stations
SELECT thing_id, longitude, latitude, array_agg(observed_property ORDER BY observed_property) AS properties
FROM thing JOIN datastream USING (thing_id)
WHERE declared AND observed_property = ANY (%(observed_properties)s)
GROUP BY thing_id ORDER BY thing_id;

-- name: neighbours__centres
SELECT area.area_id, centre_longitude AS longitude, centre_latitude AS latitude,
    coalesce(array_agg(DISTINCT observed_property) FILTER (WHERE observed_property IS NOT NULL), '{}')
        AS properties
FROM area
LEFT JOIN area_thing USING (area_id)
LEFT JOIN datastream ON datastream.thing_id = area_thing.thing_id AND declared
    AND observed_property = ANY (%(observed_properties)s)
WHERE area_set_id = %(area_set_id)s
GROUP BY area.area_id ORDER BY area.area_id;

-- name: neighbours__drop_neighbours
DELETE FROM area_neighbour USING area
WHERE area_neighbour.area_id = area.area_id AND area.area_set_id = %(area_set_id)s;

-- name: neighbours__put_neighbours
INSERT INTO area_neighbour (area_id, thing_id, distance_m, weight, observed_properties)
SELECT area_id, thing_id, distance_m, weight, string_to_array(observed_properties, ' ')
FROM unnest(%(area_ids)s::int4[], %(thing_ids)s::text[], %(distances)s::float8[], %(weights)s::float8[],
        %(observed_properties)s::text[])
    AS near (area_id, thing_id, distance_m, weight, observed_properties);

-- name: neighbours__weighed
UPDATE area_set SET weighed_at = clock_timestamp() WHERE area_set_id = %(area_set_id)s;

-- name: neighbours__weighed_at
SELECT weighed_at FROM area_set WHERE area_set_id = %(area_set_id)s;

-- name: neighbours__neighbours
SELECT code, thing_id, distance_m, weight, observed_properties
FROM area_neighbour JOIN area USING (area_id)
WHERE area_set_id = %(area_set_id)s
ORDER BY code, distance_m, thing_id;

-- name: neighbours__sizes
SELECT code, area_m2 FROM area
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR code = %(code)s)
    AND area_m2 IS NOT NULL;

-- name: population__population_of_code
SELECT population_id, dataset_id, region_code, region, series, count_date, count_date_precision, measure, sex,
    age_from, age_to, count
FROM population
WHERE code = %(code)s AND population_id > %(after)s
    AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
    AND (%(count_date)s::date IS NULL OR count_date = %(count_date)s)
ORDER BY population_id
LIMIT %(limit)s;

-- name: population__newest_totals
SELECT DISTINCT ON (area.code) area.code, counted.dataset_id, series, count_date, count_date_precision, count,
    regions, (fields ->> 'area_km2')::float8 AS area_km2
FROM area JOIN (
    SELECT code, dataset_id, series, count_date, min(count_date_precision) AS count_date_precision,
        coalesce(sum(count) FILTER (WHERE is_whole), sum(count))::bigint AS count,
        min(feature_id) AS feature_id,
        CASE WHEN bool_or(is_whole) THEN 0 ELSE count(*) END AS regions
    FROM (
        SELECT code, dataset_id, series, count_date, region_code = '' AND region = '' AS is_whole,
            min(count_date_precision) AS count_date_precision, min(feature_id) AS feature_id,
            coalesce(
                max(count) FILTER (WHERE sex = 'total' AND age_from IS NULL),
                CASE WHEN count(*) FILTER (WHERE sex <> 'total' AND age_from IS NULL) = 2
                    THEN sum(count) FILTER (WHERE sex <> 'total' AND age_from IS NULL) END,
                sum(count) FILTER (WHERE sex = 'total'),
                CASE WHEN count(DISTINCT sex) FILTER (WHERE age_from IS NOT NULL) = 2
                    THEN sum(count) FILTER (WHERE age_from IS NOT NULL) END
            ) AS count
        FROM population
        WHERE measure = %(measure)s AND count_date <= (now() AT TIME ZONE 'Asia/Tokyo')::date
            AND code IN (SELECT code FROM area WHERE area_set_id = %(area_set_id)s
                AND (%(code)s::text IS NULL OR area.code = %(code)s))
        GROUP BY code, dataset_id, series, count_date, region_code, region
    ) AS by_region
    WHERE count IS NOT NULL
    GROUP BY code, dataset_id, series, count_date
) AS counted ON counted.code = area.code
LEFT JOIN feature USING (feature_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
ORDER BY area.code, count_date DESC, counted.dataset_id, series;

-- name: profiles__note_stale
INSERT INTO stale_profile (datastream_id, day)
SELECT datastream_id, date '1970-01-01' + number - 1
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_day, last_day)
JOIN datastream USING (datastream_id)
CROSS JOIN LATERAL generate_series(first_day, last_day) AS number
WHERE observed_property = ANY (%(profiled)s)
ORDER BY 2, 1
ON CONFLICT DO NOTHING;

-- name: profiles__take_stale
DELETE FROM stale_profile WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM stale_profile WHERE day < (now() AT TIME ZONE interval '9 hours')::date
    ORDER BY day DESC LIMIT %(limit)s
))
RETURNING datastream_id, day;

-- name: profiles__make_profiles
WITH stale AS (
    SELECT datastream_id, day, observed_property = ANY (%(maxima)s) AS is_maximum,
        observed_property = ANY (%(counts)s) AS is_count,
        day::timestamp AT TIME ZONE interval '9 hours' AS start
    FROM unnest(%(datastream_ids)s::int4[], %(days)s::date[]) AS stale (datastream_id, day)
    JOIN datastream USING (datastream_id)
)
INSERT INTO rollup_profile AS kept (datastream_id, day, totals, weights)
SELECT datastream_id, day, totals, weights
FROM stale
CROSS JOIN LATERAL (
    SELECT array_agg(total ORDER BY number) AS totals,
        array_agg(coalesce(weight, 0) ORDER BY number) AS weights, count(weight) AS filled
    FROM generate_series(1, 96) AS number
    LEFT JOIN (
        SELECT ceil(extract(epoch FROM bucket_end - stale.start) / 900)::int4 AS number,
            CASE WHEN is_maximum THEN max(highest) ELSE sum(total) END AS total,
            least(CASE WHEN is_count THEN coalesce(sum(covered_s), 0) ELSE sum(n) END, 1e9)::int4
                AS weight
        FROM rollup_5min
        WHERE rollup_5min.datastream_id = stale.datastream_id
            AND bucket_end > stale.start AND bucket_end <= stale.start + interval '1 day'
            AND bucket_end > %(start)s AND bucket_end <= %(end)s
        GROUP BY 1
    ) AS quarter USING (number)
) AS profile
WHERE filled > 0
ON CONFLICT (datastream_id, day) DO UPDATE SET totals = excluded.totals, weights = excluded.weights
WHERE (kept.totals, kept.weights) IS DISTINCT FROM (excluded.totals, excluded.weights);

-- name: profiles__forget_profiles
DELETE FROM rollup_profile
USING unnest(%(datastream_ids)s::int4[], %(days)s::date[]) AS stale (datastream_id, day)
WHERE rollup_profile.datastream_id = stale.datastream_id AND rollup_profile.day = stale.day
    AND NOT EXISTS (
        SELECT FROM rollup_5min
        WHERE rollup_5min.datastream_id = stale.datastream_id
            AND bucket_end > stale.day::timestamp AT TIME ZONE interval '9 hours'
            AND bucket_end <= stale.day::timestamp AT TIME ZONE interval '9 hours' + interval '1 day'
            AND bucket_end > %(start)s AND bucket_end <= %(end)s
    );

-- name: profiles__profiles
SELECT datastream_id, day, totals[%(first)s:%(last)s], weights[%(first)s:%(last)s]
FROM rollup_profile
WHERE datastream_id = ANY (%(datastream_ids)s) AND day = ANY (%(days)s);

-- name: profiles__profile_sums
SELECT datastream_id, array_agg(day - %(first_day)s::date),
    array_agg(coalesce(totals[%(first)s::int4], 0) + coalesce(totals[%(second)s::int4], 0)
        + coalesce(totals[%(third)s::int4], 0) + coalesce(totals[%(fourth)s::int4], 0)),
    array_agg(weights[%(first)s::int4] + coalesce(weights[%(second)s::int4], 0)
        + coalesce(weights[%(third)s::int4], 0) + coalesce(weights[%(fourth)s::int4], 0))
FROM rollup_profile
WHERE datastream_id = ANY (%(datastream_ids)s) AND day = ANY (%(days)s)
GROUP BY datastream_id;

-- name: profiles__stale_profiles
SELECT datastream_id, day FROM stale_profile
WHERE day = ANY (%(days)s) AND datastream_id = ANY (%(datastream_ids)s);

-- name: profiles__profiles_5min
WITH stale AS (
    SELECT datastream_id, day, observed_property = ANY (%(maxima)s) AS is_maximum,
        observed_property = ANY (%(counts)s) AS is_count,
        day::timestamp AT TIME ZONE interval '9 hours' AS start
    FROM unnest(%(datastream_ids)s::int4[], %(days)s::date[]) AS stale (datastream_id, day)
    JOIN datastream USING (datastream_id)
)
SELECT datastream_id, day, totals, weights
FROM stale
CROSS JOIN LATERAL (
    SELECT array_agg(total ORDER BY number) AS totals,
        array_agg(coalesce(weight, 0) ORDER BY number) AS weights
    FROM generate_series(%(first)s::int4, %(last)s::int4) AS number
    LEFT JOIN (
        SELECT ceil(extract(epoch FROM bucket_end - stale.start) / 900)::int4 AS number,
            CASE WHEN is_maximum THEN max(highest) ELSE sum(total) END AS total,
            least(CASE WHEN is_count THEN coalesce(sum(covered_s), 0) ELSE sum(n) END, 1e9)::int4
                AS weight
        FROM rollup_5min
        WHERE rollup_5min.datastream_id = stale.datastream_id
            AND bucket_end > stale.start + (%(first)s - 1) * interval '15 minutes'
            AND bucket_end <= stale.start + %(last)s * interval '15 minutes'
            AND bucket_end > %(start)s AND bucket_end <= %(end)s
        GROUP BY 1
    ) AS quarter USING (number)
) AS profile;

-- name: profiles__profiles_raw
WITH stale AS (
    SELECT datastream_id, day, observed_property = ANY (%(maxima)s) AS is_maximum,
        observed_property = ANY (%(counts)s) AS is_count,
        day::timestamp AT TIME ZONE interval '9 hours' AS start
    FROM unnest(%(datastream_ids)s::int4[], %(days)s::date[]) AS stale (datastream_id, day)
    JOIN datastream USING (datastream_id)
)
SELECT datastream_id, day, totals, weights
FROM stale
CROSS JOIN LATERAL (
    SELECT array_agg(total ORDER BY number) AS totals,
        array_agg(coalesce(weight, 0) ORDER BY number) AS weights
    FROM generate_series(%(first)s::int4, %(last)s::int4) AS number
    LEFT JOIN (
        SELECT ceil(extract(epoch FROM phenomenon_time - stale.start) / 900)::int4 AS number,
            CASE WHEN is_maximum THEN max(result) ELSE sum(result) END AS total,
            least(CASE WHEN is_count THEN coalesce(sum(period_s), 0) ELSE count(*) END, 1e9)::int4
                AS weight
        FROM observation
        WHERE observation.datastream_id = stale.datastream_id
            AND phenomenon_time > stale.start + (%(first)s - 1) * interval '15 minutes'
            AND phenomenon_time <= stale.start + %(last)s * interval '15 minutes'
            AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        GROUP BY 1
    ) AS quarter USING (number)
) AS profile;

-- name: profiles__withheld_raw
SELECT DISTINCT datastream_id, ceil(extract(epoch FROM phenomenon_time - %(midnight)s) / 900)::int4
FROM observation
JOIN unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
    USING (datastream_id)
WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    AND result > 0 AND result < small_below;

-- name: profiles__withheld_5min
SELECT DISTINCT datastream_id, ceil(extract(epoch FROM bucket_end - %(midnight)s) / 900)::int4
FROM rollup_5min
JOIN unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
    USING (datastream_id)
WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
    AND highest > 0 AND lowest < small_below;

-- name: quality__observations
WITH rule AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (observed_property text,
        at_once float8, per_minute float8, longest_gap interval,
        stuck_after interval, stuck_readings int, steady_up_to float8, steady_from float8)
), stream AS MATERIALIZED (
    SELECT datastream_id, rule.*, datastream.observed_property COLLATE "C" AS name,
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
    FROM datastream LEFT JOIN rule USING (observed_property)
    WHERE thing_id = %(thing_id)s
        AND (%(observed_property)s::text IS NULL OR datastream.observed_property = %(observed_property)s)
), picked AS MATERIALIZED (
    SELECT datastream_id, stream.name, page.*
    FROM stream
    CROSS JOIN LATERAL (
        SELECT phenomenon_time, result, period_s FROM observation
        WHERE observation.datastream_id = stream.datastream_id
            AND phenomenon_time >= %(after)s AND phenomenon_time <= %(end)s
            AND (phenomenon_time > %(after)s OR stream.name > %(after_property)s)
        ORDER BY phenomenon_time LIMIT %(limit)s
    ) AS page
    ORDER BY phenomenon_time, name LIMIT %(limit)s
), page_start AS (
    SELECT datastream_id, min(phenomenon_time) AS start FROM picked GROUP BY datastream_id
), look_back AS MATERIALIZED (
    SELECT datastream_id, start, least(
        start - greatest(stuck_after, longest_gap),
        (SELECT phenomenon_time FROM observation
         WHERE observation.datastream_id = stream.datastream_id
            AND phenomenon_time <= start - stuck_after
         ORDER BY phenomenon_time DESC LIMIT 1),
        (SELECT min(phenomenon_time) FROM (
            SELECT phenomenon_time FROM observation
            WHERE observation.datastream_id = stream.datastream_id AND phenomenon_time < start
            ORDER BY phenomenon_time DESC LIMIT coalesce(stuck_readings, 0)
         ) AS enough)) AS begins
    FROM stream JOIN page_start USING (datastream_id)
), readings AS (
    SELECT datastream_id, phenomenon_time, result, period_s, true AS asked FROM picked
    UNION ALL
    SELECT datastream_id, phenomenon_time, result, period_s, false
    FROM look_back
    CROSS JOIN LATERAL (
        SELECT phenomenon_time, result, period_s FROM observation
        WHERE observation.datastream_id = look_back.datastream_id
            AND phenomenon_time >= begins AND phenomenon_time < start
        ORDER BY phenomenon_time OFFSET 0 -- keeps the planner from reading all there is
    ) AS earlier
), compared AS (
    SELECT *, lag(result) OVER stream_order IS DISTINCT FROM result AS changed,
        array_agg(phenomenon_time) OVER just_before AS times_before,
        array_agg(result) OVER just_before AS results_before
    FROM readings
    WINDOW stream_order AS (PARTITION BY datastream_id ORDER BY phenomenon_time),
        just_before AS (stream_order ROWS BETWEEN %(compared)s PRECEDING AND 1 PRECEDING)
), numbered AS (
    SELECT *, count(*) FILTER (WHERE changed)
        OVER (PARTITION BY datastream_id ORDER BY phenomenon_time) AS run
    FROM compared
), lasting AS (
    SELECT *, min(phenomenon_time) OVER same AS since, count(*) OVER same AS lasted
    FROM numbered
    WINDOW same AS (PARTITION BY datastream_id, run ORDER BY phenomenon_time)
)
SELECT name AS observed_property, phenomenon_time, result, period_s, small_below, differs AS step,
    coalesce(phenomenon_time - since >= stuck_after AND lasted >= stuck_readings
        AND (result <= steady_up_to) IS NOT TRUE AND (result >= steady_from) IS NOT TRUE, false) AS stuck
FROM lasting
JOIN stream USING (datastream_id)
CROSS JOIN LATERAL (
    SELECT count(*) >= 2 AND 2 * count(*) FILTER (WHERE abs(lasting.result - before.result)
        > at_once + per_minute * (extract(epoch FROM lasting.phenomenon_time - before.time)::float8 / 60)
    ) > count(*) AS differs
    FROM unnest(times_before, results_before) AS before (time, result)
    WHERE before.time >= lasting.phenomenon_time - longest_gap
) AS steps
WHERE asked
ORDER BY phenomenon_time, name;

-- name: quality__newest_flags
WITH rule AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (observed_property text,
        at_once float8, per_minute float8, longest_gap interval,
        stuck_after interval, stuck_readings int, steady_up_to float8, steady_from float8)
), newest AS (
    SELECT datastream_id, thing_id, phenomenon_time, result, rule.*, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
    FROM latest
    JOIN datastream USING (datastream_id)
    JOIN rule USING (observed_property)
    WHERE declared AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
), judged AS MATERIALIZED (
    SELECT newest.*,
        longest_gap IS NOT NULL AND (
            SELECT count(*) >= 2 AND 2 * count(*) FILTER (WHERE abs(newest.result - before.result)
                > at_once + per_minute
                    * (extract(epoch FROM newest.phenomenon_time - before.phenomenon_time)::float8 / 60)
            ) > count(*)
            FROM (
                SELECT phenomenon_time, result FROM observation
                WHERE observation.datastream_id = newest.datastream_id
                    AND phenomenon_time < newest.phenomenon_time
                    AND phenomenon_time >= newest.phenomenon_time - longest_gap
                ORDER BY phenomenon_time DESC LIMIT %(compared)s
            ) AS before
        ) AS step,
        CASE
            WHEN stuck_after IS NULL OR result <= steady_up_to OR result >= steady_from THEN false
            WHEN (
                SELECT result FROM observation
                WHERE observation.datastream_id = newest.datastream_id
                    AND phenomenon_time < newest.phenomenon_time
                ORDER BY phenomenon_time DESC LIMIT 1
            ) IS DISTINCT FROM result THEN false
            WHEN (
                SELECT result FROM observation
                WHERE observation.datastream_id = newest.datastream_id
                    AND phenomenon_time <= newest.phenomenon_time - stuck_after
                ORDER BY phenomenon_time DESC LIMIT 1
            ) IS DISTINCT FROM result THEN false
            WHEN (
                SELECT count(*) FROM (
                    SELECT result FROM observation
                    WHERE observation.datastream_id = newest.datastream_id
                        AND phenomenon_time <= newest.phenomenon_time
                    ORDER BY phenomenon_time DESC LIMIT stuck_readings
                ) AS enough WHERE enough.result = newest.result
            ) < stuck_readings THEN false
            ELSE NOT EXISTS (
                SELECT FROM observation
                WHERE observation.datastream_id = newest.datastream_id
                    AND phenomenon_time > newest.phenomenon_time - stuck_after
                    AND phenomenon_time < newest.phenomenon_time
                    AND observation.result <> newest.result
            )
        END AS stuck
    FROM newest
)
SELECT thing_id, observed_property, phenomenon_time, result, small_below, step, stuck
FROM judged
WHERE step OR stuck
ORDER BY thing_id, observed_property;

-- name: quality__same_since
SELECT thing_id, observed_property, first.phenomenon_time AS since
FROM unnest(%(thing_ids)s::text[], %(observed_properties)s::text[], %(times)s::timestamptz[],
    %(results)s::float8[]) AS stuck (thing_id, observed_property, stuck_time, stuck_result)
JOIN datastream USING (thing_id, observed_property)
CROSS JOIN LATERAL (
    SELECT coalesce((
        SELECT phenomenon_time FROM observation
        WHERE observation.datastream_id = datastream.datastream_id
            AND phenomenon_time >= stuck_time - %(furthest)s AND phenomenon_time < stuck_time
            AND result <> stuck_result
        ORDER BY phenomenon_time DESC LIMIT 1
    ), '-infinity') AS changed_after
) AS other
CROSS JOIN LATERAL (
    SELECT phenomenon_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time >= stuck_time - %(furthest)s AND phenomenon_time > changed_after
    ORDER BY phenomenon_time LIMIT 1
) AS first;

-- name: reading__things
SELECT thing.*,
    (SELECT max(latest.phenomenon_time) FROM datastream JOIN latest USING (datastream_id)
     WHERE datastream.thing_id = thing.thing_id) AS last_observed_at,
    (SELECT coalesce(array_agg(observed_property ORDER BY datastream_id), '{}') FROM datastream
     WHERE datastream.thing_id = thing.thing_id AND declared) AS datastreams,
    (SELECT max(latest.period_s) FROM datastream JOIN latest USING (datastream_id)
     WHERE datastream.thing_id = thing.thing_id AND declared) AS period_s
FROM thing
WHERE (%(after)s::text IS NULL OR thing_id > %(after)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
ORDER BY thing_id
LIMIT %(limit)s;

-- name: reading__freshness
SELECT newest.last_observed_at, newest.period_s
FROM thing LEFT JOIN (
    SELECT thing_id, max(phenomenon_time) AS last_observed_at,
        max(latest.period_s) FILTER (WHERE declared) AS period_s
    FROM datastream JOIN latest USING (datastream_id) GROUP BY thing_id
) AS newest USING (thing_id);

-- name: reading__latest
SELECT thing_id, observed_property, phenomenon_time, result, latest.period_s, received_at,
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
FROM latest JOIN datastream USING (datastream_id)
WHERE declared
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(observed_properties)s::text[] IS NULL OR observed_property = ANY (%(observed_properties)s))
ORDER BY thing_id, datastream_id;

-- name: reading__newest_at
SELECT thing_id, observed_property, newest.phenomenon_time, newest.result, newest.period_s,
    newest.phenomenon_time AS received_at, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
FROM datastream
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result, observation.period_s FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS newest
ORDER BY thing_id, datastream.datastream_id;

-- name: reading__totals
WITH counted AS (
    SELECT datastream_id, thing_id, observed_property, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below,
        greatest(%(end)s, max(latest.phenomenon_time)
            FILTER (WHERE latest.phenomenon_time <= %(end)s + %(ahead)s)
            OVER (PARTITION BY thing_id)) AS window_end
    FROM datastream LEFT JOIN latest USING (datastream_id)
    WHERE observed_property = ANY (%(observed_properties)s) AND (declared OR NOT %(declared)s)
)
SELECT thing_id, observed_property, max(phenomenon_time) AS phenomenon_time, sum(observation.period_s) AS covered_s,
    coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS result,
    count(*) FILTER (WHERE result > 0 AND result < small_below) AS left_out
FROM counted
JOIN observation USING (datastream_id)
WHERE phenomenon_time > %(end)s - %(window)s AND phenomenon_time <= %(end)s + %(ahead)s
    AND phenomenon_time > window_end - %(window)s AND phenomenon_time <= window_end
    AND (observation.period_s IS NULL
        OR observation.period_s <= extract(epoch FROM %(window)s))
GROUP BY thing_id, observed_property
ORDER BY thing_id, observed_property;

-- name: reading__counters
SELECT coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(received), 0)::bigint AS received,
    coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
    coalesce(sum(corrected), 0)::bigint AS corrected, coalesce(sum(rejected), 0)::bigint AS rejected,
    coalesce(sum(waiting) FILTER (WHERE seen_at > now() - %(within)s::interval), 0)::bigint AS waiting,
    max(last_stored_at) AS last_stored_at
FROM ingest_counter;

-- name: reading__ingests
SELECT ingest_id, messages, received, stored, duplicate, corrected, rejected, waiting, lag_s, seen_at
FROM ingest_counter WHERE seen_at > now() - %(within)s::interval ORDER BY ingest_id;

-- name: reading__totals_at
SELECT thing_id, observed_property, total.*
FROM datastream
CROSS JOIN LATERAL (SELECT -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below) AS told
CROSS JOIN LATERAL (
    SELECT max(phenomenon_time) AS phenomenon_time, sum(period_s) AS covered_s,
        coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS result,
        count(*) FILTER (WHERE result > 0 AND result < small_below) AS left_out
    FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        AND (period_s IS NULL OR period_s <= %(window_s)s)
) AS total
WHERE observed_property = ANY (%(observed_properties)s) AND total.phenomenon_time IS NOT NULL
ORDER BY thing_id, observed_property;

-- name: reading__newest_sums
SELECT thing_id, observed_property, newest.*, -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below
FROM datastream
CROSS JOIN LATERAL (
    SELECT bucket_end, n, total, lowest, highest, coalesce(sine, 0) AS sine, coalesce(cosine, 0) AS cosine
    FROM rollup_5min
    WHERE rollup_5min.datastream_id = datastream.datastream_id
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    ORDER BY bucket_end DESC LIMIT 1
) AS newest
ORDER BY thing_id, datastream.datastream_id;

-- name: reading__sums
SELECT thing_id, observed_property, max(bucket_end) AS phenomenon_time,
    sum(covered_s)::int8 AS covered_s,
    coalesce(sum(total) FILTER (WHERE highest <= 0 OR lowest >= small_below), 0) AS result,
    coalesce(sum(n) FILTER (WHERE highest > 0 AND lowest < small_below), 0)::int8 AS left_out
FROM datastream
CROSS JOIN LATERAL (SELECT -- Below which a result above 0 of a datastream is withheld (see analytics.suppression); 0 withholds nothing.
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END AS small_below) AS told
JOIN rollup_5min USING (datastream_id)
WHERE observed_property = ANY (%(observed_properties)s)
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
    AND (longest_s IS NULL OR longest_s <= %(window_s)s)
GROUP BY thing_id, observed_property
ORDER BY thing_id, observed_property;

-- name: rejected__rejected
SELECT rejected_id, topic, substring(payload FROM 1 FOR %(payload_bytes)s) AS payload,
    octet_length(payload) AS payload_size, thing_id, reason, detail, value_count, seen,
    first_received_at, last_received_at
FROM rejected_message
WHERE (%(rejected_id)s::bigint IS NULL OR rejected_id = %(rejected_id)s)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s;

-- name: rejected__rejected_summary
SELECT reason, thing_id, count(*) AS messages, sum(value_count)::bigint AS value_count,
    max(last_received_at) AS last_received_at
FROM rejected_message
WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
GROUP BY reason, thing_id
ORDER BY messages DESC, reason, thing_id;

-- name: rejected__rejected_by_reason
SELECT reason, count(*) AS messages, sum(value_count)::bigint AS value_count
FROM rejected_message GROUP BY reason ORDER BY reason;

-- name: rejected__rejected_of_thing
SELECT reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
    count(*) FILTER (WHERE last_received_at > %(lately)s) AS messages_lately,
    max(last_received_at) AS last_received_at
FROM rejected_message WHERE thing_id = %(thing_id)s GROUP BY reason ORDER BY reason;

-- name: rejected__rejected_counts
SELECT * FROM (
    (SELECT thing_id, reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
        max(last_received_at) AS last_received_at
    FROM rejected_message
    WHERE thing_id IS NOT NULL AND NOT %(after_the_last_thing)s
        AND (%(after_thing_id)s::text IS NULL
            OR (thing_id, reason) > (%(after_thing_id)s, %(after_reason)s))
        AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    GROUP BY thing_id, reason ORDER BY thing_id, reason LIMIT %(limit)s)
    UNION ALL
    (SELECT thing_id, reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
        max(last_received_at) AS last_received_at
    FROM rejected_message
    WHERE thing_id IS NULL AND %(thing_id)s::text IS NULL
        AND (NOT %(after_the_last_thing)s OR reason > %(after_reason)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    GROUP BY thing_id, reason ORDER BY reason LIMIT %(limit)s)
) AS counted
ORDER BY thing_id NULLS LAST, reason LIMIT %(limit)s;

-- name: rejected__forgotten
SELECT coalesce(sum(forgotten_messages), 0)::bigint AS messages,
    coalesce(sum(forgotten_values), 0)::bigint AS value_count
FROM ingest_counter;

-- name: rejected__refused_by_imports
SELECT coalesce(sum(rejected), 0)::bigint AS value_count
FROM ingest_counter WHERE ingest_id = %(ingest_id)s;

-- name: rejected__purge_rejected
WITH gone AS (
    SELECT rejected_id FROM rejected_message
    WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
        AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
        AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
        AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
    ORDER BY digest FOR UPDATE
)
DELETE FROM rejected_message USING gone WHERE rejected_message.rejected_id = gone.rejected_id
RETURNING value_count;

-- name: rejected__newest_rejected
SELECT max(rejected_id) AS rejected_id FROM rejected_message;

-- name: rejected__rejected_to_retry
SELECT rejected_id, topic, payload, last_received_at FROM rejected_message
WHERE rejected_id <= %(newest)s
    AND (%(below_time)s::timestamptz IS NULL
        OR (last_received_at, rejected_id) < (%(below_time)s, %(below_id)s))
    AND (%(rejected_ids)s::bigint[] IS NULL OR rejected_id = ANY (%(rejected_ids)s))
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s;

-- name: rejected__lock_rejected
SELECT rejected_id, digest, reason, value_count, seen FROM rejected_message
WHERE digest = ANY (%(digests)s) ORDER BY digest FOR UPDATE;

-- name: rejected__drop_rejected
DELETE FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s);

-- name: rejected__registered_things
SELECT thing_id FROM thing WHERE thing_id = ANY (%(thing_ids)s);

-- name: retention__rejected_extent
SELECT coalesce((SELECT max(rejected_id) FROM rejected_message), 0) AS newest_id,
    pg_total_relation_size('rejected_message') AS room;

-- name: retention__rejected_too_much
SELECT count(*) > %(messages)s
    OR pg_total_relation_size('rejected_message') > %(octets)s
    OR coalesce(min(last_received_at) < %(before)s::timestamptz, false) AS too_much
FROM rejected_message;

-- name: retention__forgettable
WITH sized AS MATERIALIZED (
    SELECT rejected_id, last_received_at,
        reason IN ('unregistered_thing', 'undeclared_datastream') AS waits,
        octet_length(payload) + octet_length(topic) + octet_length(detail) AS octets
    FROM rejected_message
), of_its_kind AS (
    SELECT rejected_id, last_received_at, octets,
        waits AND row_number() OVER kind <= 0.9 * %(messages)s
            AND sum(octets) OVER kind <= 0.9 * %(octets)s AS comes_first
    FROM sized
    WINDOW kind AS (PARTITION BY waits ORDER BY last_received_at DESC, rejected_id DESC)
), ranked AS (
    SELECT rejected_id, last_received_at, row_number() OVER ranking AS place,
        sum(octets) OVER ranking AS octets
    FROM of_its_kind
    WINDOW ranking AS (ORDER BY comes_first DESC, last_received_at DESC, rejected_id DESC
        ROWS UNBOUNDED PRECEDING)
)
SELECT rejected_id FROM ranked
WHERE place > %(messages)s OR octets > %(octets)s OR last_received_at < %(before)s::timestamptz
ORDER BY place DESC LIMIT %(limit)s;

-- name: retention__forget_rejected
WITH gone AS (
    SELECT rejected_id FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s)
    ORDER BY digest FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM rejected_message USING gone WHERE rejected_message.rejected_id = gone.rejected_id
    RETURNING value_count
)
SELECT count(*) AS messages, coalesce(sum(value_count), 0)::bigint AS value_count FROM deleted;

-- name: retention__count_forgotten
INSERT INTO ingest_counter AS c (ingest_id, forgotten_messages, forgotten_values)
VALUES (%(ingest_id)s, %(messages)s, %(value_count)s)
ON CONFLICT (ingest_id) DO UPDATE SET
    forgotten_messages = c.forgotten_messages + excluded.forgotten_messages,
    forgotten_values = c.forgotten_values + excluded.forgotten_values;

-- name: rollups__copy_changed
COPY changed (members, datastream_block, first_bucket, last_bucket, late) FROM STDIN (FORMAT binary);

-- name: rollups__lock_refresh
SELECT pg_try_advisory_xact_lock(hashtext('tsuji rollups')) AS mine;

-- name: rollups__limit_idleness
SET idle_in_transaction_session_timeout = '60s';

-- name: rollups__claim_changed
DELETE FROM changed WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM changed WHERE late = %(late)s AND datastream_block >= %(block)s
    ORDER BY datastream_block LIMIT %(limit)s
))
RETURNING members, datastream_block, first_bucket, last_bucket;

-- name: rollups__refresh_5min
WITH stale AS (
    SELECT run.datastream_id, observed_property = ANY (%(directions)s) AS is_direction,
        to_timestamp((first_bucket - 1) * 300::float8) AS start,
        to_timestamp(last_bucket * 300::float8) AS stop
    FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
        AS run (datastream_id, first_bucket, last_bucket)
    JOIN datastream USING (datastream_id)
), fresh AS MATERIALIZED (
    SELECT datastream_id, bucket.*
    FROM stale
    CROSS JOIN LATERAL (
        SELECT date_bin('5 minutes', phenomenon_time - interval '1 microsecond', 'epoch')
                + interval '5 minutes' AS bucket_end,
            count(*)::int4 AS n, sum(result) AS total, min(result) AS lowest, max(result) AS highest,
            sum(CASE WHEN is_direction THEN sin(radians(result)) END) AS sine,
            sum(CASE WHEN is_direction THEN cos(radians(result)) END) AS cosine,
            sum(period_s) AS covered_s,
            CASE WHEN count(period_s) > 0 THEN min(coalesce(period_s, 0)) END AS shortest_s,
            max(period_s) AS longest_s
        FROM observation
        WHERE observation.datastream_id = stale.datastream_id
            AND phenomenon_time > stale.start AND phenomenon_time <= stale.stop
            AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        GROUP BY 1
    ) AS bucket
), put AS (
    INSERT INTO rollup_5min AS kept (datastream_id, bucket_end, n, total, lowest, highest,
        sine, cosine, covered_s, shortest_s, longest_s)
    SELECT * FROM fresh ORDER BY datastream_id, bucket_end
    ON CONFLICT (datastream_id, bucket_end) DO UPDATE SET
        n = excluded.n, total = excluded.total, lowest = excluded.lowest, highest = excluded.highest,
        sine = excluded.sine, cosine = excluded.cosine, covered_s = excluded.covered_s,
        shortest_s = excluded.shortest_s, longest_s = excluded.longest_s
    WHERE (kept.n, kept.total, kept.lowest, kept.highest, kept.sine, kept.cosine, kept.covered_s,
           kept.shortest_s, kept.longest_s)
        IS DISTINCT FROM
          (excluded.n, excluded.total, excluded.lowest, excluded.highest, excluded.sine,
           excluded.cosine, excluded.covered_s, excluded.shortest_s, excluded.longest_s)
)
SELECT datastream_id, kept.bucket_end
FROM stale
CROSS JOIN LATERAL (
    SELECT bucket_end FROM rollup_5min
    WHERE rollup_5min.datastream_id = stale.datastream_id
        AND bucket_end > stale.start AND bucket_end <= stale.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
) AS kept
LEFT JOIN fresh USING (datastream_id, bucket_end)
WHERE fresh.n IS NULL;

-- name: rollups__forget_5min
DELETE FROM rollup_5min
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: rollups__refresh_hour
WITH stale AS (
    SELECT datastream_id,
        to_timestamp((first_bucket - 1) * 3600::float8) AS start,
        to_timestamp(last_bucket * 3600::float8) AS stop
    FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
        AS run (datastream_id, first_bucket, last_bucket)
), fresh AS MATERIALIZED (
    SELECT stale.datastream_id, bucket.*
    FROM stale
    CROSS JOIN LATERAL (
        SELECT date_bin('1 hour', bucket_end - interval '1 microsecond', '2000-01-01T00:00:00+09:00')
                + interval '1 hour' AS bucket_end,
            sum(n)::int4 AS n, sum(total) AS total, min(lowest) AS lowest, max(highest) AS highest,
            sum(sine) AS sine, sum(cosine) AS cosine, sum(covered_s)::int8 AS covered_s,
            CASE WHEN count(shortest_s) > 0 THEN min(coalesce(shortest_s, 0)) END AS shortest_s,
            max(longest_s) AS longest_s
        FROM rollup_5min
        WHERE rollup_5min.datastream_id = stale.datastream_id
            AND rollup_5min.bucket_end > stale.start AND rollup_5min.bucket_end <= stale.stop
            AND rollup_5min.bucket_end > %(start)s AND rollup_5min.bucket_end <= %(end)s
        GROUP BY 1
    ) AS bucket
), put AS (
    INSERT INTO rollup_hour AS kept (datastream_id, bucket_end, n, total, lowest, highest,
        sine, cosine, covered_s, shortest_s, longest_s)
    SELECT * FROM fresh ORDER BY datastream_id, bucket_end
    ON CONFLICT (datastream_id, bucket_end) DO UPDATE SET
        n = excluded.n, total = excluded.total, lowest = excluded.lowest, highest = excluded.highest,
        sine = excluded.sine, cosine = excluded.cosine, covered_s = excluded.covered_s,
        shortest_s = excluded.shortest_s, longest_s = excluded.longest_s
    WHERE (kept.n, kept.total, kept.lowest, kept.highest, kept.sine, kept.cosine, kept.covered_s,
           kept.shortest_s, kept.longest_s)
        IS DISTINCT FROM
          (excluded.n, excluded.total, excluded.lowest, excluded.highest, excluded.sine,
           excluded.cosine, excluded.covered_s, excluded.shortest_s, excluded.longest_s)
)
SELECT datastream_id, kept.bucket_end
FROM stale
CROSS JOIN LATERAL (
    SELECT bucket_end FROM rollup_hour
    WHERE rollup_hour.datastream_id = stale.datastream_id
        AND bucket_end > stale.start AND bucket_end <= stale.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
) AS kept
LEFT JOIN fresh USING (datastream_id, bucket_end)
WHERE fresh.n IS NULL;

-- name: rollups__forget_hour
DELETE FROM rollup_hour
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: rollups__refresh_day
WITH stale AS (
    SELECT datastream_id,
        to_timestamp((first_bucket - 1) * 86400::float8 - 32400) AS start,
        to_timestamp(last_bucket * 86400::float8 - 32400) AS stop
    FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
        AS run (datastream_id, first_bucket, last_bucket)
), fresh AS MATERIALIZED (
    SELECT stale.datastream_id, bucket.*
    FROM stale
    CROSS JOIN LATERAL (
        SELECT date_bin('1 day', bucket_end - interval '1 microsecond', '2000-01-01T00:00:00+09:00')
                + interval '1 day' AS bucket_end,
            sum(n)::int4 AS n, sum(total) AS total, min(lowest) AS lowest, max(highest) AS highest,
            sum(sine) AS sine, sum(cosine) AS cosine, sum(covered_s)::int8 AS covered_s,
            CASE WHEN count(shortest_s) > 0 THEN min(coalesce(shortest_s, 0)) END AS shortest_s,
            max(longest_s) AS longest_s
        FROM rollup_hour
        WHERE rollup_hour.datastream_id = stale.datastream_id
            AND rollup_hour.bucket_end > stale.start AND rollup_hour.bucket_end <= stale.stop
            AND rollup_hour.bucket_end > %(start)s AND rollup_hour.bucket_end <= %(end)s
        GROUP BY 1
    ) AS bucket
), put AS (
    INSERT INTO rollup_day AS kept (datastream_id, bucket_end, n, total, lowest, highest,
        sine, cosine, covered_s, shortest_s, longest_s)
    SELECT * FROM fresh ORDER BY datastream_id, bucket_end
    ON CONFLICT (datastream_id, bucket_end) DO UPDATE SET
        n = excluded.n, total = excluded.total, lowest = excluded.lowest, highest = excluded.highest,
        sine = excluded.sine, cosine = excluded.cosine, covered_s = excluded.covered_s,
        shortest_s = excluded.shortest_s, longest_s = excluded.longest_s
    WHERE (kept.n, kept.total, kept.lowest, kept.highest, kept.sine, kept.cosine, kept.covered_s,
           kept.shortest_s, kept.longest_s)
        IS DISTINCT FROM
          (excluded.n, excluded.total, excluded.lowest, excluded.highest, excluded.sine,
           excluded.cosine, excluded.covered_s, excluded.shortest_s, excluded.longest_s)
)
SELECT datastream_id, kept.bucket_end
FROM stale
CROSS JOIN LATERAL (
    SELECT bucket_end FROM rollup_day
    WHERE rollup_day.datastream_id = stale.datastream_id
        AND bucket_end > stale.start AND bucket_end <= stale.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
) AS kept
LEFT JOIN fresh USING (datastream_id, bucket_end)
WHERE fresh.n IS NULL;

-- name: rollups__forget_day
DELETE FROM rollup_day
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: schema__edition
SELECT current_setting('server_version') AS postgres,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
    current_setting('timescaledb.license', true) AS licence;

-- name: schema__create_timescaledb
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- name: schema__create_migration
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: schema__lock_migration
SELECT pg_advisory_xact_lock(hashtext('tsuji migration'));

-- name: schema__migrations
SELECT name, checksum FROM migration ORDER BY name;

-- name: schema__record_migration
INSERT INTO migration (name, checksum) VALUES (%(name)s, %(checksum)s);

-- name: schema__log_everything
INSERT INTO changed (members, datastream_block, first_bucket, last_bucket, late)
SELECT 1::int8 << (datastream_id & 31), datastream_id >> 5,
    ceil(extract(epoch FROM first_time) / 300)::int4, ceil(extract(epoch FROM last_time) / 300)::int4,
    true
FROM datastream
CROSS JOIN LATERAL (
    SELECT min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
) AS held
WHERE first_time IS NOT NULL;

-- name: sessions__session
SELECT filters, subscribed_at IS NOT NULL AS existed FROM ingest_session WHERE ingest_id = %(ingest_id)s;

-- name: sessions__widen_session
INSERT INTO ingest_session AS s (ingest_id, filters) VALUES (%(ingest_id)s, %(filters)s::text[])
ON CONFLICT (ingest_id) DO UPDATE SET
    filters = ARRAY(SELECT DISTINCT unnest(s.filters || excluded.filters) ORDER BY 1);

-- name: sessions__settle_session
INSERT INTO ingest_session (ingest_id, filters, subscribed_at) VALUES (%(ingest_id)s, %(filters)s::text[], now())
ON CONFLICT (ingest_id) DO UPDATE SET filters = excluded.filters, subscribed_at = excluded.subscribed_at;

-- name: sessions__forget_session
DELETE FROM ingest_session WHERE ingest_id = %(ingest_id)s;

-- name: sessions__expect_no_more
UPDATE ingest_counter SET seen_at = NULL, waiting = 0, lag_s = NULL WHERE ingest_id = %(ingest_id)s;

-- name: small_counts__small_below
CASE
    WHEN datastream.observed_property = ANY (%(parts)s::text[]) AND EXISTS (
        SELECT FROM datastream AS both_ways
        WHERE both_ways.thing_id = datastream.thing_id AND both_ways.observed_property = %(whole)s
    ) THEN 'Infinity'::float8
    WHEN datastream.observed_property = ANY (%(counts)s::text[]) THEN %(small)s::float8
    ELSE 0
END;

-- name: writing__upsert_thing
INSERT INTO thing (thing_id, name, name_en, kind, longitude, latitude, effective_width_m, capacity, owner)
VALUES (%(thing_id)s, %(name)s, %(name_en)s, %(kind)s, %(longitude)s, %(latitude)s,
        %(effective_width_m)s, %(capacity)s, %(owner)s)
ON CONFLICT (thing_id) DO UPDATE SET
    name = excluded.name, name_en = excluded.name_en, kind = excluded.kind,
    longitude = excluded.longitude, latitude = excluded.latitude,
    effective_width_m = excluded.effective_width_m, capacity = excluded.capacity,
    owner = excluded.owner, updated_at = now()
WHERE (thing.name, thing.name_en, thing.kind, thing.longitude, thing.latitude,
       thing.effective_width_m, thing.capacity, thing.owner)
    IS DISTINCT FROM
      (excluded.name, excluded.name_en, excluded.kind, excluded.longitude, excluded.latitude,
       excluded.effective_width_m, excluded.capacity, excluded.owner)
RETURNING thing_id;

-- name: writing__declare_datastreams
WITH listed AS (
    INSERT INTO datastream (thing_id, observed_property)
    SELECT %(thing_id)s, unnest(%(observed_properties)s::text[])
    ON CONFLICT (thing_id, observed_property) DO UPDATE SET
        declared = true, revision = pg_current_xact_id()
    WHERE NOT datastream.declared
    RETURNING datastream_id
), dropped AS (
    UPDATE datastream SET declared = false, revision = pg_current_xact_id()
    WHERE thing_id = %(thing_id)s AND declared AND observed_property <> ALL (%(observed_properties)s::text[])
    RETURNING datastream_id
)
SELECT datastream_id FROM listed UNION ALL SELECT datastream_id FROM dropped;

-- name: writing__registry_version
SELECT version FROM registry;

-- name: writing__registry_changed
INSERT INTO registry (version) VALUES (1)
ON CONFLICT (singleton) DO UPDATE SET version = registry.version + 1;

-- name: writing__datastream_keys
SELECT thing.thing_id, datastream.observed_property, datastream.datastream_id
FROM thing LEFT JOIN datastream ON datastream.thing_id = thing.thing_id AND datastream.declared
WHERE thing.thing_id = ANY (%(thing_ids)s);

-- name: writing__copy_observations
COPY observation (datastream_id, period_s, phenomenon_time, result) FROM STDIN (FORMAT binary);

-- name: writing__advance_latest
INSERT INTO latest (datastream_id, phenomenon_time, result, period_s, received_at)
SELECT datastream_id, 'epoch'::timestamptz + time_us / 1000000 * '1 second'::interval
        + mod(time_us, 1000000) * '1 microsecond'::interval, result, period_s,
    'epoch'::timestamptz + received_us * '1 microsecond'::interval
FROM unnest(%(datastream_ids)s::int4[], %(times_us)s::int8[], %(results)s::float8[],
    %(periods)s::int4[], %(received_us)s::int8[])
    AS newest (datastream_id, time_us, result, period_s, received_us)
ORDER BY 1
ON CONFLICT (datastream_id) DO UPDATE SET
    phenomenon_time = excluded.phenomenon_time, result = excluded.result,
    period_s = excluded.period_s, received_at = excluded.received_at,
    revision = pg_current_xact_id()
WHERE latest.phenomenon_time < excluded.phenomenon_time;

-- name: writing__create_stage
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    datastream_id int4, period_s int4, phenomenon_time timestamptz, result float8,
    received_at timestamptz
) ON COMMIT DELETE ROWS;

-- name: writing__copy_stage
COPY stage (datastream_id, period_s, phenomenon_time, result, received_at) FROM STDIN (FORMAT binary);

-- name: writing__put_observations
WITH put AS (
    INSERT INTO observation AS o (datastream_id, period_s, phenomenon_time, result)
    SELECT datastream_id, period_s, phenomenon_time, result FROM stage
    ORDER BY datastream_id, phenomenon_time
    ON CONFLICT (datastream_id, phenomenon_time) DO UPDATE SET
        result = excluded.result, period_s = excluded.period_s
    WHERE (o.result, o.period_s) IS DISTINCT FROM (excluded.result, excluded.period_s)
    RETURNING xmax = 0 AS inserted
)
SELECT count(*) FILTER (WHERE inserted) AS inserted, count(*) FILTER (WHERE NOT inserted) AS corrected
FROM put;

-- name: writing__insert_waiting
INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)
SELECT datastream_id, period_s, phenomenon_time, result FROM stage
ORDER BY datastream_id, phenomenon_time
ON CONFLICT (datastream_id, phenomenon_time) DO NOTHING
RETURNING datastream_id, phenomenon_time;

-- name: writing__update_latest
INSERT INTO latest (datastream_id, phenomenon_time, result, period_s, received_at)
SELECT DISTINCT ON (datastream_id) datastream_id, phenomenon_time, result, period_s, received_at
FROM stage ORDER BY datastream_id, phenomenon_time DESC
ON CONFLICT (datastream_id) DO UPDATE SET
    phenomenon_time = excluded.phenomenon_time, result = excluded.result,
    period_s = excluded.period_s, received_at = excluded.received_at,
    revision = pg_current_xact_id()
WHERE latest.phenomenon_time < excluded.phenomenon_time
    OR (latest.phenomenon_time = excluded.phenomenon_time
        AND (latest.result, latest.period_s) IS DISTINCT FROM (excluded.result, excluded.period_s));

-- name: writing__next_rejected_ids
SELECT nextval(pg_get_serial_sequence('rejected_message', 'rejected_id')) AS rejected_id
FROM generate_series(1, %(count)s);

-- name: writing__keep_rejected
INSERT INTO rejected_message (rejected_id, digest, topic, payload, thing_id, reason, detail,
    observed_properties, value_count, first_received_at, last_received_at, boot_id, uptime_s)
OVERRIDING SYSTEM VALUE
VALUES (%(rejected_id)s, %(digest)s, %(topic)s, %(payload)s, %(thing_id)s, %(reason)s, %(detail)s,
    %(observed_properties)s, %(value_count)s, %(received_at)s, %(received_at)s, %(boot_id)s,
    %(uptime_s)s)
ON CONFLICT (digest) DO UPDATE SET
    seen = rejected_message.seen + 1,
    value_count = rejected_message.value_count + excluded.value_count,
    observed_properties = array(
        SELECT unnest(rejected_message.observed_properties)
        UNION SELECT unnest(excluded.observed_properties) ORDER BY 1),
    last_received_at = excluded.last_received_at,
    boot_id = excluded.boot_id, uptime_s = excluded.uptime_s;

-- name: writing__keep_rejected_once
INSERT INTO rejected_message (rejected_id, digest, topic, payload, thing_id, reason, detail,
    observed_properties, value_count, first_received_at, last_received_at, boot_id, uptime_s)
OVERRIDING SYSTEM VALUE
VALUES (%(rejected_id)s, %(digest)s, %(topic)s, %(payload)s, %(thing_id)s, %(reason)s, %(detail)s,
    %(observed_properties)s, %(value_count)s, %(received_at)s, %(received_at)s, %(boot_id)s,
    %(uptime_s)s)
ON CONFLICT (digest) DO NOTHING;

-- name: writing__healable
WITH RECURSIVE undeclared AS (
    (SELECT thing_id, observed_properties FROM rejected_message
     WHERE reason = 'undeclared_datastream'
     ORDER BY thing_id, observed_properties LIMIT 1)
    UNION ALL
    SELECT following.* FROM undeclared CROSS JOIN LATERAL (
        SELECT thing_id, observed_properties FROM rejected_message AS r
        WHERE reason = 'undeclared_datastream'
            AND (r.thing_id, r.observed_properties)
                > (undeclared.thing_id, undeclared.observed_properties)
        ORDER BY thing_id, observed_properties LIMIT 1
    ) AS following
), waiting AS (
SELECT * FROM (
    SELECT r.* FROM thing CROSS JOIN LATERAL (
        SELECT rejected_id, last_received_at, octet_length(payload) AS octets
        FROM rejected_message
        WHERE rejected_message.thing_id = thing.thing_id AND reason = 'unregistered_thing'
        ORDER BY last_received_at DESC LIMIT %(limit)s
    ) AS r
    UNION ALL
    SELECT r.* FROM undeclared CROSS JOIN LATERAL (
        SELECT rejected_id, last_received_at, octet_length(payload) AS octets
        FROM rejected_message
        WHERE rejected_message.thing_id = undeclared.thing_id
            AND rejected_message.observed_properties = undeclared.observed_properties
            AND reason = 'undeclared_datastream'
        ORDER BY last_received_at DESC LIMIT %(limit)s
    ) AS r
    WHERE EXISTS (SELECT FROM datastream
                  WHERE datastream.thing_id = undeclared.thing_id AND declared
                      AND datastream.observed_property = ANY (undeclared.observed_properties))
) AS waited
ORDER BY last_received_at DESC, rejected_id DESC
LIMIT %(limit)s
), chosen AS (
    SELECT rejected_id, sum(octets) OVER sofar AS total, row_number() OVER sofar AS place
    FROM waiting WINDOW sofar AS (ORDER BY last_received_at DESC, rejected_id DESC)
)
SELECT rejected_id, topic, payload, observed_properties, value_count, last_received_at
FROM chosen JOIN rejected_message USING (rejected_id)
WHERE total <= %(octets)s OR place = 1
ORDER BY place;

-- name: writing__claim_rejected
WITH mine AS (
    SELECT rejected_id FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s)
    ORDER BY digest FOR UPDATE
)
DELETE FROM rejected_message USING mine WHERE rejected_message.rejected_id = mine.rejected_id
RETURNING rejected_message.rejected_id, value_count;

-- name: writing__count
INSERT INTO ingest_counter AS c (ingest_id, messages, received, stored, duplicate, corrected, rejected,
    last_stored_at, waiting, lag_s, seen_at)
VALUES (%(ingest_id)s, %(messages)s, %(received)s, %(stored)s, %(duplicate)s, %(corrected)s, %(rejected)s,
    CASE WHEN %(stored)s > 0 THEN now() END,
    %(waiting)s, %(lag_s)s, CASE WHEN %(seen)s THEN now() END)
ON CONFLICT (ingest_id) DO UPDATE SET
    messages = c.messages + excluded.messages,
    received = c.received + excluded.received,
    stored = c.stored + excluded.stored,
    duplicate = c.duplicate + excluded.duplicate,
    corrected = c.corrected + excluded.corrected,
    rejected = c.rejected + excluded.rejected,
    last_stored_at = coalesce(excluded.last_stored_at, c.last_stored_at),
    waiting = CASE WHEN %(seen)s THEN excluded.waiting ELSE c.waiting END,
    lag_s = CASE WHEN %(seen)s THEN excluded.lag_s ELSE c.lag_s END,
    seen_at = coalesce(excluded.seen_at, c.seen_at);

-- name: writing__announce
SELECT pg_notify('tsuji_change', '');
