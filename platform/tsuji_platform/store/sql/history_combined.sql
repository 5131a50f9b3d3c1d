-- name: whole_steps
-- What some datastreams say together in each step, where steps are as long as the buckets of a rollup:
-- no bucket has to be added to another one of its datastream. The name of the table stands for all
-- rollups. The outer bounds are constants, so that chunks beyond them are not even planned for.
-- A bucket that may hold a small count is withheld as a whole: its extremes tell no more.
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

-- name: plain_steps
-- The same of what is no direction and withholds nothing, which takes a fifth of the time less.
SELECT bucket_end, count(*), sum(total), sum(total / n), max(highest), 0::float8, 0::float8, 0::int8
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS piece (datastream_id, start, stop)
JOIN rollup_5min AS bucket ON bucket.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
GROUP BY bucket_end;

-- name: longer_steps
-- The same for steps of several buckets: those of a datastream are put together first.
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

-- name: steps_raw
-- The same from the observations.
SELECT first + %(to_end)s AS step_end, count(*), sum(total), sum(total / n), max(highest),
    coalesce(sum(sine / vector) FILTER (WHERE vector >= 1e-9), 0),
    coalesce(sum(cosine / vector) FILTER (WHERE vector >= 1e-9), 0), sum(left_out)::int8
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
CROSS JOIN LATERAL (SELECT piece.datastream_id = ANY (%(directions)s::int4[]) AS is_direction) AS kind
CROSS JOIN LATERAL (
    SELECT *, sqrt(sine * sine + cosine * cosine) AS vector FROM (
        SELECT date_bin(%(step)s, phenomenon_time, %(behind_origin)s) AS first,
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
GROUP BY first;

-- name: told_steps
-- Of counts, from the parts that are told of each datastream.
SELECT step_end, count(*), sum(total), sum(total / n), max(highest), 0::float8, 0::float8,
    sum(left_out)::int8
FROM (
    told_parts()
) AS part (datastream_id, step_end, n, total, highest, sine, cosine, left_out)
GROUP BY step_end;

-- name: periods
-- How many counts of each datastream cover which time, of buckets in which all cover the same; and the
-- other buckets by their ends, once each. The name of the table stands for all rollups.
SELECT piece.datastream_id, longest_s, sum(n)::int8,
    CASE WHEN shortest_s <> longest_s THEN bucket_end END AS of_several
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN rollup_5min ON rollup_5min.datastream_id = piece.datastream_id
    AND bucket_end > piece.start AND bucket_end <= piece.stop
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
WHERE longest_s IS NOT NULL
GROUP BY 1, 2, 4;

-- name: periods_raw
-- The same from the observations.
SELECT piece.datastream_id, period_s, count(*), NULL::timestamptz
FROM unnest(%(datastream_ids)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(small_below)s::float8[]) AS piece (datastream_id, start, stop, small_below)
JOIN observation ON observation.datastream_id = piece.datastream_id
    AND phenomenon_time > piece.start AND phenomenon_time <= piece.stop
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
WHERE period_s IS NOT NULL
GROUP BY 1, 2;
