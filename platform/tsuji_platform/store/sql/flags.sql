-- name: quality_rules
-- The table of thresholds; other queries name it as a function.
SELECT * FROM jsonb_to_recordset(%(rules)s::jsonb) AS rule (observed_property text,
    at_once float8, per_minute float8, longest_gap interval,
    stuck_after interval, stuck_readings int, steady_up_to float8, steady_from float8);

-- name: judged_readings
-- What looks wrong with some readings; other queries name it as a function, behind `stream` (datastreams,
-- each with its rule) and `picked` (readings of theirs, of each without a gap), and go on with `judged`.
-- Readings before those are read as well, as far back as the rules can ask: to the last one that is old
-- enough to say "unchanged for so long", and to so many.
page_start AS (
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
), judged AS (
    SELECT datastream_id, phenomenon_time, result, period_s, differs AS step,
        coalesce(phenomenon_time - since >= stuck_after AND lasted >= stuck_readings
            AND (result <= steady_up_to) IS NOT TRUE AND (result >= steady_from) IS NOT TRUE, false)
            AS stuck
    FROM lasting
    JOIN stream USING (datastream_id)
    CROSS JOIN LATERAL (
        SELECT count(*) >= 2 AND 2 * count(*) FILTER (WHERE abs(lasting.result - before.result)
            > at_once + per_minute
                * (extract(epoch FROM lasting.phenomenon_time - before.time)::float8 / 60)
        ) > count(*) AS differs
        FROM unnest(times_before, results_before) AS before (time, result)
        WHERE before.time >= lasting.phenomenon_time - longest_gap
    ) AS steps
    WHERE asked
);
