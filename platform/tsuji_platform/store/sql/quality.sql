-- name: observations
-- One page of a thing's raw observations behind a (time, observed property), oldest first, with what
-- looks wrong.
WITH rule AS MATERIALIZED (
    quality_rules()
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
), judged_readings()
SELECT name AS observed_property, phenomenon_time, result, period_s, small_below, step, stuck
FROM judged JOIN stream USING (datastream_id)
ORDER BY phenomenon_time, name;

-- name: newest_flags
-- The declared datastreams whose newest observation looks wrong. Each is looked at through its own
-- newest readings, the cheap questions first, so that most cost a few index rows.
WITH rule AS MATERIALIZED (
    quality_rules()
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
