-- name: copy_changed
COPY changed (members, datastream_block, first_bucket, last_bucket, late) FROM STDIN (FORMAT binary);

-- name: lock_refresh
-- Whether we are the one who refreshes, until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('tsuji rollups')) AS mine;

-- name: limit_idleness
SET idle_in_transaction_session_timeout = '60s';

-- name: claim_changed
-- Takes rows off the log, in the order of the datastreams, so that those of one come together.
DELETE FROM changed WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM changed WHERE late = %(late)s AND datastream_block >= %(block)s
    ORDER BY datastream_block LIMIT %(limit)s
))
RETURNING members, datastream_block, first_bucket, last_bucket;

-- name: refresh_5min
-- Makes the buckets of some runs what the observations say; returns those of which none is left. They
-- are put in order, so that those of a datastream lie together where there are many.
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

-- name: forget_5min
DELETE FROM rollup_5min
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: refresh_hour
-- The same for hours, from their buckets of five minutes.
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

-- name: forget_hour
DELETE FROM rollup_hour
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: refresh_day
-- The same for Tokyo days, from their hours.
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

-- name: forget_day
DELETE FROM rollup_day
WHERE (datastream_id, bucket_end) IN
        (SELECT * FROM unnest(%(datastream_ids)s::int4[], %(ends)s::timestamptz[]))
    AND bucket_end > %(start)s AND bucket_end <= %(end)s;
