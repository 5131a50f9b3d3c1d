-- name: observations
-- One page of a thing's raw observations behind a (time, observed property), oldest first, with what
-- looks wrong. For the flags the readings before the page are read as well, as far back as the rules
-- can ask: to the last one that is old enough to say "unchanged for so long", and to so many.
WITH rule AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (observed_property text,
        at_once float8, per_minute float8, longest_gap interval,
        stuck_after interval, stuck_readings int, steady_up_to float8, steady_from float8)
), stream AS MATERIALIZED (
    SELECT datastream_id, rule.*, datastream.observed_property COLLATE "C" AS name,
        small_below(datastream) AS small_below
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

-- name: newest_flags
-- The declared datastreams whose newest observation looks wrong. Each is looked at through its own
-- newest readings, the cheap questions first, so that most cost a few index rows.
WITH rule AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (observed_property text,
        at_once float8, per_minute float8, longest_gap interval,
        stuck_after interval, stuck_readings int, steady_up_to float8, steady_from float8)
), newest AS (
    SELECT datastream_id, thing_id, phenomenon_time, result, rule.*, small_below(datastream) AS small_below
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

-- name: same_since
-- The first of the readings that are the same as a given one, without another in between. They are read
-- back one by one, so there is an end to it.
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
