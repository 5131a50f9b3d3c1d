-- name: limit_waiting
-- Shorter than deadlock_timeout: if two wait for each other, we are the one who gives up.
SET LOCAL lock_timeout = '800ms';

-- name: lock_refresh
-- Nothing is rolled up meanwhile.
SELECT pg_advisory_xact_lock(hashtext('tsuji rollups'));

-- name: lock_writers
-- Who writes has committed, and who comes later waits before it looks for its chunk.
LOCK TABLE ONLY observation IN SHARE ROW EXCLUSIVE MODE;

-- name: reference
-- The newest observation that is not ahead of the clock, from which ages are counted.
SELECT max(phenomenon_time) AS newest FROM latest WHERE phenomenon_time <= %(now)s;

-- name: has_timescaledb
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS there;

-- name: hypertables
SELECT hypertable_name AS name FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema();

-- name: chunks
-- Chunks that end by a moment, the oldest first; of those in a columnstore the size that they have there.
SELECT range_end, total_bytes AS octets
FROM timescaledb_information.chunks
JOIN chunks_detailed_size(%(name)s::text::regclass) USING (chunk_schema, chunk_name)
WHERE hypertable_schema = current_schema() AND hypertable_name = %(name)s::text
    AND range_end <= %(until)s
ORDER BY range_end;

-- name: drop_chunks
SELECT drop_chunks(%(name)s::regclass, older_than => %(until)s::timestamptz);

-- name: have_chunks_dropped
-- By a function of the owner's (see roles.sql): nobody else may drop chunks.
SELECT tsuji_drop_chunks(%(name)s, %(until)s::timestamptz);

-- name: owns
SELECT pg_has_role(relowner, 'USAGE') AS mine FROM pg_class WHERE oid = %(name)s::regclass;

-- name: pending
-- Whether sums or days by their quarter hours are still to be made of something up to a moment.
SELECT EXISTS (SELECT FROM changed WHERE first_bucket <= ceil(extract(epoch FROM %(until)s) / 300))
    OR EXISTS (SELECT FROM stale_profile
        WHERE day::timestamp AT TIME ZONE interval '9 hours' < %(until)s) AS pending;

-- name: late_is_fresh
SELECT EXISTS (SELECT FROM horizon
    WHERE width_s = %(width_s)s AND late_last > now() - %(grace)s::interval
        AND late_since > now() - %(longest)s::interval) AS fresh;

-- name: move_horizon
INSERT INTO horizon AS h (width_s, since, drops) VALUES (%(width_s)s, %(until)s, 1)
ON CONFLICT (width_s) DO UPDATE SET
    since = greatest(h.since, excluded.since), drops = h.drops + 1, dropped_at = now(),
    late_since = CASE WHEN excluded.since < h.since THEN h.late_since END,
    late_last = CASE WHEN excluded.since < h.since THEN h.late_last END,
    too_late = h.too_late + %(too_late)s;

-- name: too_late
-- Observations up to a moment that came when those of their time were gone: all, and those that are in
-- no rollup, since a sum of which something was dropped is never made anew (see late.py).
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

-- name: oldest_0
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id ORDER BY phenomenon_time LIMIT 1
) AS first;

-- name: oldest_300
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT bucket_end AS time FROM rollup_5min
    WHERE rollup_5min.datastream_id = datastream.datastream_id ORDER BY bucket_end LIMIT 1
) AS first;

-- name: oldest_3600
SELECT min(time) AS oldest FROM datastream CROSS JOIN LATERAL (
    SELECT bucket_end AS time FROM rollup_hour
    WHERE rollup_hour.datastream_id = datastream.datastream_id ORDER BY bucket_end LIMIT 1
) AS first;

-- name: count_0
-- How many rows there are up to a moment; counts no further than a limit.
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM observation
        WHERE observation.datastream_id = datastream.datastream_id AND phenomenon_time <= %(until)s
        ORDER BY phenomenon_time LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: count_300
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM rollup_5min
        WHERE rollup_5min.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: count_3600
SELECT count(*) AS n FROM (
    SELECT FROM datastream CROSS JOIN LATERAL (
        SELECT FROM rollup_hour
        WHERE rollup_hour.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT %(limit)s
    ) AS one
    LIMIT %(limit)s
) AS counted;

-- name: delete_0
-- By the places of the rows, which are found by the key: however the planner sees it, the cost is that
-- of what is deleted. Not for hypertables, where a place alone names no row.
DELETE FROM observation WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM observation
        WHERE observation.datastream_id = datastream.datastream_id AND phenomenon_time <= %(until)s
        ORDER BY phenomenon_time LIMIT 1000000000
    ) AS one
));

-- name: delete_300
DELETE FROM rollup_5min WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM rollup_5min
        WHERE rollup_5min.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT 1000000000
    ) AS one
));

-- name: delete_3600
DELETE FROM rollup_hour WHERE ctid = ANY (ARRAY(
    SELECT one.ctid FROM datastream CROSS JOIN LATERAL (
        SELECT ctid FROM rollup_hour
        WHERE rollup_hour.datastream_id = datastream.datastream_id AND bucket_end <= %(until)s
        ORDER BY bucket_end LIMIT 1000000000
    ) AS one
));

-- name: delete_rest_0
-- A chunk does not hold its end, a bucket does: what a hypertable has left up to there.
DELETE FROM observation
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND phenomenon_time <= %(until)s;

-- name: delete_rest_300
DELETE FROM rollup_5min
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND bucket_end <= %(until)s;

-- name: delete_rest_3600
DELETE FROM rollup_hour
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream)) AND bucket_end <= %(until)s;
