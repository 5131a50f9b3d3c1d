-- name: horizons
SELECT width_s, since, drops, late_since, too_late, dropped_at FROM horizon ORDER BY width_s;

-- name: one_moment
-- All that follows in the transaction sees the database as its next statement does.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: drops
-- How often chunks have gone; null where rows are deleted instead, which older snapshots still see.
SELECT CASE WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
    THEN (SELECT coalesce(sum(drops), 0) FROM horizon) END AS drops;

-- name: sealed
-- Of some runs of five-minute buckets those whose sums can't be made anew, as runs: something of what
-- they were made of, or of what the hour or the day around them was made of, is no longer kept. A sum
-- that was made since the last drop (see `drops`) is whole, and one that was never made lacks nothing.
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

-- name: late_observations
-- How many observations there are in some runs of buckets, and the end of the first such bucket's time.
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

-- name: note_late
-- There is something again that ended before what is kept begins: since when, and when the last came.
UPDATE horizon SET late_since = coalesce(late_since, now()), late_last = now()
WHERE since >= %(earliest)s;

-- name: mark_5min
-- Sums made of what came after its time was dropped say so, until the next drop.
UPDATE rollup_5min SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_5min.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 300::float8)
    AND bucket_end <= to_timestamp(run.last_bucket * 300::float8)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;

-- name: mark_hour
UPDATE rollup_hour SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_hour.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 3600::float8)
    AND bucket_end <= to_timestamp(run.last_bucket * 3600::float8)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;

-- name: mark_day
UPDATE rollup_day SET drops = %(drops)s
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_bucket, last_bucket)
WHERE rollup_day.datastream_id = run.datastream_id
    AND bucket_end > to_timestamp((run.first_bucket - 1) * 86400::float8 - 32400)
    AND bucket_end <= to_timestamp(run.last_bucket * 86400::float8 - 32400)
    AND bucket_end > %(start)s AND bucket_end <= %(since)s AND drops IS DISTINCT FROM %(drops)s;
