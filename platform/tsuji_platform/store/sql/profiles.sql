-- name: note_stale
-- Days that have changed, of datastreams that have typical values.
INSERT INTO stale_profile (datastream_id, day)
SELECT datastream_id, date '1970-01-01' + number - 1
FROM unnest(%(datastream_ids)s::int4[], %(firsts)s::int4[], %(lasts)s::int4[])
    AS run (datastream_id, first_day, last_day)
JOIN datastream USING (datastream_id)
CROSS JOIN LATERAL generate_series(first_day, last_day) AS number
WHERE observed_property = ANY (%(profiled)s)
ORDER BY 2, 1
ON CONFLICT DO NOTHING;

-- name: take_stale
-- Finished days, the newest first: they are asked for first.
DELETE FROM stale_profile WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM stale_profile WHERE day < (now() AT TIME ZONE interval '9 hours')::date
    ORDER BY day DESC LIMIT %(limit)s
))
RETURNING datastream_id, day;

-- name: make_profiles
-- Makes some days what their buckets of five minutes say.
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

-- name: forget_profiles
-- Those of days that have no observations any more.
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

-- name: profiles
-- Days of datastreams, some quarter hours of each.
SELECT datastream_id, day, totals[%(first)s:%(last)s], weights[%(first)s:%(last)s]
FROM rollup_profile
WHERE datastream_id = ANY (%(datastream_ids)s) AND day = ANY (%(days)s);

-- name: profile_columns
-- The same as one row of long columns, days counted from the first and 0 where a total is none: a row for
-- each of ten thousand takes longer to read than to find.
SELECT array_agg(datastream_id), array_agg(day - %(first_day)s::date),
    array_agg(array_replace(totals[%(first)s:%(last)s], NULL, 0)), array_agg(weights[%(first)s:%(last)s])
FROM rollup_profile
WHERE datastream_id = ANY (%(datastream_ids)s) AND day = ANY (%(days)s);

-- name: stale_profiles
SELECT datastream_id, day FROM stale_profile
WHERE day = ANY (%(days)s) AND datastream_id = ANY (%(datastream_ids)s);

-- name: profiles_5min
-- The same as `profiles`, from buckets of five minutes.
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

-- name: profiles_raw
-- The same as `profiles`, from the observations.
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

-- name: withheld_raw
-- The quarter hours of one day in which a small count is withheld. One day at a time, so that the planner
-- sees which chunks it needs: a join with all days looks into each of them for each datastream.
SELECT DISTINCT datastream_id, ceil(extract(epoch FROM phenomenon_time - %(midnight)s) / 900)::int4
FROM observation
JOIN unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
    USING (datastream_id)
WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    AND result > 0 AND result < small_below;

-- name: withheld_5min
-- The same from buckets of five minutes: those that may hold one.
SELECT DISTINCT datastream_id, ceil(extract(epoch FROM bucket_end - %(midnight)s) / 900)::int4
FROM rollup_5min
JOIN unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
    USING (datastream_id)
WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
    AND highest > 0 AND lowest < small_below;
