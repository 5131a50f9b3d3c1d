-- name: things
-- One page of things by id, with the time of their newest observation.
SELECT thing.*,
    (SELECT max(latest.phenomenon_time) FROM datastream JOIN latest USING (datastream_id)
     WHERE datastream.thing_id = thing.thing_id) AS last_observed_at,
    (SELECT coalesce(array_agg(observed_property ORDER BY datastream_id), '{}') FROM datastream
     WHERE datastream.thing_id = thing.thing_id AND declared) AS datastreams,
    (SELECT max(latest.period_s) FROM datastream JOIN latest USING (datastream_id)
     WHERE datastream.thing_id = thing.thing_id AND declared) AS period_s
FROM thing
WHERE (%(after)s::text IS NULL OR thing_id > %(after)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
ORDER BY thing_id
LIMIT %(limit)s;

-- name: freshness
-- Of every thing the time of its newest observation and its longest period, and nothing else.
SELECT newest.last_observed_at, newest.period_s
FROM thing LEFT JOIN (
    SELECT thing_id, max(phenomenon_time) AS last_observed_at,
        max(latest.period_s) FILTER (WHERE declared) AS period_s
    FROM datastream JOIN latest USING (datastream_id) GROUP BY thing_id
) AS newest USING (thing_id);

-- name: latest
-- The newest observation of every declared datastream.
SELECT thing_id, observed_property, phenomenon_time, result, latest.period_s, received_at,
    small_below(datastream) AS small_below
FROM latest JOIN datastream USING (datastream_id)
WHERE declared
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(observed_properties)s::text[] IS NULL OR observed_property = ANY (%(observed_properties)s))
ORDER BY thing_id, datastream_id;

-- name: newest_at
-- The newest observation of each datastream within a window that ended in the past, of those that
-- their things no longer list, too.
SELECT thing_id, observed_property, newest.phenomenon_time, newest.result, newest.period_s,
    newest.phenomenon_time AS received_at, small_below(datastream) AS small_below
FROM datastream
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result, observation.period_s FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS newest
ORDER BY thing_id, datastream.datastream_id;

-- name: totals
-- Sum per datastream of some observed properties over a window (start excluded, end included). The
-- window of a thing whose clock runs ahead ends with its newest observation, so that it is never
-- longer than for others. What covers more than the window is no part of it.
WITH counted AS (
    SELECT datastream_id, thing_id, observed_property, small_below(datastream) AS small_below,
        greatest(%(end)s, max(latest.phenomenon_time)
            FILTER (WHERE latest.phenomenon_time <= %(end)s + %(ahead)s)
            OVER (PARTITION BY thing_id)) AS window_end
    FROM datastream LEFT JOIN latest USING (datastream_id)
    WHERE observed_property = ANY (%(observed_properties)s) AND (declared OR NOT %(declared)s)
)
SELECT thing_id, observed_property, max(phenomenon_time) AS phenomenon_time, sum(observation.period_s) AS covered_s,
    coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS result,
    count(*) FILTER (WHERE result > 0 AND result < small_below) AS left_out
FROM counted
JOIN observation USING (datastream_id)
WHERE phenomenon_time > %(end)s - %(window)s AND phenomenon_time <= %(end)s + %(ahead)s
    AND phenomenon_time > window_end - %(window)s AND phenomenon_time <= window_end
    AND (observation.period_s IS NULL
        OR observation.period_s <= extract(epoch FROM %(window)s))
GROUP BY thing_id, observed_property
ORDER BY thing_id, observed_property;

-- name: counters
SELECT coalesce(sum(messages), 0)::bigint AS messages, coalesce(sum(received), 0)::bigint AS received,
    coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
    coalesce(sum(corrected), 0)::bigint AS corrected, coalesce(sum(rejected), 0)::bigint AS rejected,
    coalesce(sum(waiting) FILTER (WHERE seen_at > now() - %(within)s::interval), 0)::bigint AS waiting,
    max(last_stored_at) AS last_stored_at
FROM ingest_counter;

-- name: ingests
-- Every ingest that has written of itself lately.
SELECT ingest_id, messages, received, stored, duplicate, corrected, rejected, waiting, lag_s, seen_at
FROM ingest_counter WHERE seen_at > now() - %(within)s::interval ORDER BY ingest_id;

-- name: totals_at
-- As `totals`, for a moment in the past: no window is moved.
SELECT thing_id, observed_property, total.*
FROM datastream
CROSS JOIN LATERAL (SELECT small_below(datastream) AS small_below) AS told
CROSS JOIN LATERAL (
    SELECT max(phenomenon_time) AS phenomenon_time, sum(period_s) AS covered_s,
        coalesce(sum(result) FILTER (WHERE result <= 0 OR result >= small_below), 0) AS result,
        count(*) FILTER (WHERE result > 0 AND result < small_below) AS left_out
    FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        AND (period_s IS NULL OR period_s <= %(window_s)s)
) AS total
WHERE observed_property = ANY (%(observed_properties)s) AND total.phenomenon_time IS NOT NULL
ORDER BY thing_id, observed_property;

-- name: newest_sums
-- As `newest_at`, from the sums of a rollup, where observations are no longer kept. The name of the
-- table stands for all rollups.
SELECT thing_id, observed_property, newest.*, small_below(datastream) AS small_below
FROM datastream
CROSS JOIN LATERAL (
    SELECT bucket_end, n, total, lowest, highest, coalesce(sine, 0) AS sine, coalesce(cosine, 0) AS cosine
    FROM rollup_5min
    WHERE rollup_5min.datastream_id = datastream.datastream_id
        AND bucket_end > %(start)s AND bucket_end <= %(end)s
    ORDER BY bucket_end DESC LIMIT 1
) AS newest
ORDER BY thing_id, datastream.datastream_id;

-- name: sums
-- As `totals`, from the sums of a rollup: those in which something covers more than the window are left out.
-- What may hold a small count is withheld as a whole.
SELECT thing_id, observed_property, max(bucket_end) AS phenomenon_time,
    sum(covered_s)::int8 AS covered_s,
    coalesce(sum(total) FILTER (WHERE highest <= 0 OR lowest >= small_below), 0) AS result,
    coalesce(sum(n) FILTER (WHERE highest > 0 AND lowest < small_below), 0)::int8 AS left_out
FROM datastream
CROSS JOIN LATERAL (SELECT small_below(datastream) AS small_below) AS told
JOIN rollup_5min USING (datastream_id)
WHERE observed_property = ANY (%(observed_properties)s)
    AND bucket_end > %(start)s AND bucket_end <= %(end)s
    AND (longest_s IS NULL OR longest_s <= %(window_s)s)
GROUP BY thing_id, observed_property
ORDER BY thing_id, observed_property;
