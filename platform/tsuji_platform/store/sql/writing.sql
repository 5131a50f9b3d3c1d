-- name: upsert_thing
-- Registers or updates a thing; returns a row only where something changed.
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

-- name: declare_datastreams
-- Makes the listed datastreams the declared ones of the thing; returns those that changed.
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

-- name: registry_version
SELECT version FROM registry;

-- name: registry_changed
-- In the transaction that changes things or datastreams: who has looked them up looks again.
INSERT INTO registry (version) VALUES (1)
ON CONFLICT (singleton) DO UPDATE SET version = registry.version + 1;

-- name: datastream_keys
-- The declared datastreams of some things, and the things without any.
SELECT thing.thing_id, datastream.observed_property, datastream.datastream_id
FROM thing LEFT JOIN datastream ON datastream.thing_id = thing.thing_id AND datastream.declared
WHERE thing.thing_id = ANY (%(thing_ids)s);

-- name: copy_observations
-- The fast way in, for rows of which none is there yet.
COPY observation (datastream_id, period_s, phenomenon_time, result) FROM STDIN (FORMAT binary);

-- name: advance_latest
-- The newest observation of each datastream, of rows that were not there: no time can be there already.
-- Seconds apart from their fractions: intervals are multiplied by floats, which hold no more than
-- 285 years of microseconds.
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

-- name: create_stage
-- One connection's landing place for a batch, emptied by every commit.
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    datastream_id int4, period_s int4, phenomenon_time timestamptz, result float8,
    received_at timestamptz
) ON COMMIT DELETE ROWS;

-- name: copy_stage
COPY stage (datastream_id, period_s, phenomenon_time, result, received_at) FROM STDIN (FORMAT binary);

-- name: put_observations
-- New rows go in, same key with other value replaces: the newer message is right. In key order, so
-- that two writers can't block each other; every row that was there is locked, changed or not, so
-- that what follows in this transaction may rely on it.
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

-- name: insert_waiting
-- The rows that were not there yet, and which they are: what waited does not undo what has come since.
INSERT INTO observation (datastream_id, period_s, phenomenon_time, result)
SELECT datastream_id, period_s, phenomenon_time, result FROM stage
ORDER BY datastream_id, phenomenon_time
ON CONFLICT (datastream_id, phenomenon_time) DO NOTHING
RETURNING datastream_id, phenomenon_time;

-- name: update_latest
-- The newest observation of each datastream; an equal time carries a correction.
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

-- name: next_rejected_ids
SELECT nextval(pg_get_serial_sequence('rejected_message', 'rejected_id')) AS rejected_id
FROM generate_series(1, %(count)s);

-- name: keep_rejected
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

-- name: keep_rejected_once
-- For what need not have been sent again: what is kept already stays as it is.
INSERT INTO rejected_message (rejected_id, digest, topic, payload, thing_id, reason, detail,
    observed_properties, value_count, first_received_at, last_received_at, boot_id, uptime_s)
OVERRIDING SYSTEM VALUE
VALUES (%(rejected_id)s, %(digest)s, %(topic)s, %(payload)s, %(thing_id)s, %(reason)s, %(detail)s,
    %(observed_properties)s, %(value_count)s, %(received_at)s, %(received_at)s, %(boot_id)s,
    %(uptime_s)s)
ON CONFLICT (digest) DO NOTHING;

-- name: healable
-- Messages that were refused only because the thing or its datastream was unknown, and no longer is.
-- Of each thing the newest first: what goes in first stays. It begins with the things, and steps from
-- one set of undeclared properties to the next, so that it costs little however much is waiting.
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
        ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s
    ) AS r
    UNION ALL
    SELECT r.* FROM undeclared CROSS JOIN LATERAL (
        SELECT rejected_id, last_received_at, octet_length(payload) AS octets
        FROM rejected_message
        WHERE rejected_message.thing_id = undeclared.thing_id
            AND rejected_message.observed_properties = undeclared.observed_properties
            AND reason = 'undeclared_datastream'
        ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s
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

-- name: claim_rejected
-- Takes messages out for another try; those that someone else took meanwhile are not returned.
WITH mine AS (
    SELECT rejected_id FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s)
    ORDER BY digest FOR UPDATE
)
DELETE FROM rejected_message USING mine WHERE rejected_message.rejected_id = mine.rejected_id
RETURNING rejected_message.rejected_id, value_count;

-- name: count
-- Moves the counters of one ingest, in the transaction of the rows that they count; and how it fares.
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

-- name: announce
-- Tells listeners, once this transaction is committed, that there is something new.
SELECT pg_notify('tsuji_change', '');
