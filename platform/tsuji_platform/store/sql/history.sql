-- name: one_moment
-- All that follows in this transaction sees the database as it is now.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: stale
-- Some datastreams, and the five-minute buckets of each within a span whose rollups are not made anew yet.
SELECT datastream_id, thing_id, observed_property,
    range_agg(int4range(first_bucket, last_bucket, '[]')) FILTER (WHERE first_bucket IS NOT NULL) AS buckets
FROM datastream
LEFT JOIN changed ON late = ANY ('{true,false}') AND datastream_block = datastream_id >> 5
    AND members & (1::int8 << (datastream_id & 31)) <> 0
    AND last_bucket >= %(first_bucket)s AND first_bucket <= %(last_bucket)s
WHERE thing_id = ANY (%(thing_ids)s) AND observed_property = ANY (%(observed_properties)s)
GROUP BY datastream_id;

-- name: pieces_raw
-- Parts of datastreams combined into steps, from the observations. The outer bounds are constants, so
-- that chunks beyond them are not even planned for.
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
CROSS JOIN LATERAL (SELECT piece.datastream_id = ANY (%(directions)s::int4[]) AS is_direction) AS kind
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        count(*), sum(result), max(result),
        sum(CASE WHEN is_direction THEN sin(radians(result)) ELSE 0 END),
        sum(CASE WHEN is_direction THEN cos(radians(result)) ELSE 0 END),
        CASE WHEN count(period_s) > 0 THEN min(coalesce(period_s, 0)) END, max(period_s)
    FROM observation
    WHERE observation.datastream_id = piece.datastream_id
        AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    GROUP BY 1
) AS part;

-- name: pieces_5min
-- The same from rollups.
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, sum(total), max(highest), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        CASE WHEN count(shortest_s) > 0 THEN min(coalesce(shortest_s, 0)) END, max(longest_s)
    FROM rollup_5min
    WHERE rollup_5min.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: pieces_hour
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, sum(total), max(highest), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        CASE WHEN count(shortest_s) > 0 THEN min(coalesce(shortest_s, 0)) END, max(longest_s)
    FROM rollup_hour
    WHERE rollup_hour.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: pieces_day
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, sum(total), max(highest), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        CASE WHEN count(shortest_s) > 0 THEN min(coalesce(shortest_s, 0)) END, max(longest_s)
    FROM rollup_day
    WHERE rollup_day.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: usual_period
-- The longest of the periods that datastreams counted over most often in a span. A single odd one,
-- such as the hour that a clock change doubles, decides nothing.
SELECT max(usual) AS period_s FROM (
    SELECT mode() WITHIN GROUP (ORDER BY observation.period_s DESC) AS usual
    FROM datastream
    JOIN observation USING (datastream_id)
    WHERE thing_id = ANY (%(thing_ids)s) AND observed_property = ANY (%(observed_properties)s)
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    GROUP BY datastream_id
) AS counted;
