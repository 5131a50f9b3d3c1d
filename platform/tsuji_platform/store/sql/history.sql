-- name: stale
-- Some datastreams, and the five-minute buckets of each within a span whose rollups are not made anew yet.
SELECT datastream_id, thing_id, observed_property, small_below(datastream) AS small_below,
    range_agg(int4range(first_bucket, last_bucket, '[]')) FILTER (WHERE first_bucket IS NOT NULL) AS buckets
FROM datastream
LEFT JOIN changed ON late = ANY ('{true,false}') AND datastream_block = datastream_id >> 5
    AND members & (1::int8 << (datastream_id & 31)) <> 0
    AND last_bucket >= %(first_bucket)s AND first_bucket <= %(last_bucket)s
WHERE thing_id = ANY (%(thing_ids)s) AND observed_property = ANY (%(observed_properties)s)
GROUP BY datastream_id;

-- name: pieces_raw
-- Parts of datastreams combined into steps, from the observations. The outer bounds are constants, so
-- that chunks beyond them are not even planned for. A step holds its end and not its start: it is found by
-- an origin one microsecond later, which costs nothing for each observation.
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (SELECT piece.datastream_id = ANY (%(directions)s::int4[]) AS is_direction) AS kind
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, phenomenon_time, %(behind_origin)s) + %(to_end)s,
        count(*), coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
        coalesce(max(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
        sum(CASE WHEN is_direction THEN sin(radians(result)) ELSE 0 END),
        sum(CASE WHEN is_direction THEN cos(radians(result)) ELSE 0 END),
        count(*) FILTER (WHERE result > 0 AND result < small_below)
    FROM observation
    WHERE observation.datastream_id = piece.datastream_id
        AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    GROUP BY date_bin(%(step)s, phenomenon_time, %(behind_origin)s)
) AS part;

-- name: pieces_5min
-- The same from rollups. One that may hold a small count is withheld as a whole: its extremes tell no more.
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

-- name: pieces_hour
SELECT piece.datastream_id, part.*
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
CROSS JOIN LATERAL (
    SELECT date_bin(%(step)s, bucket_end - interval '1 microsecond', %(origin)s) + %(step)s,
        sum(n)::int8, sum(total), max(highest), coalesce(sum(sine), 0), coalesce(sum(cosine), 0), 0::int8
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
        sum(n)::int8, sum(total), max(highest), coalesce(sum(sine), 0), coalesce(sum(cosine), 0), 0::int8
    FROM rollup_day
    WHERE rollup_day.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1
) AS part;

-- name: buckets
-- The same for steps that are as long as a rollup's buckets: there is nothing to combine, which takes a
-- third of the time. The name of the table stands for all rollups.
SELECT piece.datastream_id, bucket_end, n, CASE WHEN is_told THEN total ELSE 0 END,
    CASE WHEN is_told THEN highest ELSE 0 END, coalesce(sine, 0), coalesce(cosine, 0),
    CASE WHEN is_told THEN 0 ELSE n END
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN rollup_5min ON rollup_5min.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
CROSS JOIN LATERAL (SELECT small_below <= 0 OR highest <= 0 OR lowest >= small_below AS is_told) AS rule;

-- name: told_parts
-- As `pieces_hour`, of counts: the small ones, which are read one by one, are taken from the sums. Counts are
-- whole numbers, so what is left is exactly what the others add up to. The name of the table stands for
-- that of days as well.
SELECT datastream_id, step_end, n, total - coalesce(small_total, 0),
    CASE WHEN highest >= small_below THEN highest ELSE 0 END, 0::float8, 0::float8, coalesce(left_out, 0)
FROM (
    SELECT piece.datastream_id, small_below,
        date_bin(%(step)s, bucket_end, %(behind_origin)s) + %(to_end)s AS step_end,
        sum(n)::int8 AS n, sum(total) AS total, max(highest) AS highest
    FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
        %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
    JOIN rollup_hour ON rollup_hour.datastream_id = piece.datastream_id
        AND bucket_end > piece.start AND bucket_end <= piece.stop
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    GROUP BY 1, 2, 3
) AS whole
LEFT JOIN (
    SELECT piece.datastream_id, part.*
    FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
        %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
    CROSS JOIN LATERAL (
        SELECT date_bin(%(step)s, phenomenon_time, %(behind_origin)s) + %(to_end)s AS step_end,
            count(*) AS left_out, sum(result) AS small_total
        FROM observation
        WHERE observation.datastream_id = piece.datastream_id AND result > 0 AND result < small_below
            AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
            AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        GROUP BY date_bin(%(step)s, phenomenon_time, %(behind_origin)s)
    ) AS part
) AS small USING (datastream_id, step_end);

-- name: pieces_judged
-- As `pieces_raw`, only of what looks wrong or only of what does not. A withheld count looks like nothing
-- at all. No two parts are of one datastream.
WITH rule AS MATERIALIZED (
    quality_rules()
), stream AS MATERIALIZED (
    SELECT piece.*, rule.*, datastream_id = ANY (%(directions)s::int4[]) AS is_direction
    FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
        %(small_below)s::float8[]) AS piece (datastream_id, part_start, part_end, small_below)
    JOIN datastream USING (datastream_id)
    LEFT JOIN rule USING (observed_property)
), picked AS MATERIALIZED (
    SELECT datastream_id, phenomenon_time, result, period_s
    FROM stream JOIN observation USING (datastream_id)
    WHERE phenomenon_time > part_start AND phenomenon_time <= part_end
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
), judged_readings()
SELECT datastream_id, date_bin(%(step)s, phenomenon_time, %(behind_origin)s) + %(to_end)s,
    count(*), coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
    coalesce(max(result) FILTER (WHERE result <= 0 OR result >= small_below), 0),
    sum(CASE WHEN is_direction THEN sin(radians(result)) ELSE 0 END),
    sum(CASE WHEN is_direction THEN cos(radians(result)) ELSE 0 END),
    count(*) FILTER (WHERE result > 0 AND result < small_below)
FROM judged JOIN stream USING (datastream_id)
WHERE ((step OR stuck) AND (result <= 0 OR result >= small_below)) = %(flagged)s
GROUP BY 1, 2;

-- name: presence
-- What is known of some datastreams: whether anything was observed before a span, and when first in it.
-- What the log of changes names counts as observed.
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

-- name: refused
-- The steps of a span in which refused messages of some things arrived. Of one that came more than
-- twice only the first time and the last are known, and that it went on.
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
