-- name: streams
-- The datastreams of a choice; those that things no longer list, too.
SELECT datastream_id, thing_id, observed_property, owner, small_below(datastream) AS small_below
FROM datastream JOIN thing USING (thing_id)
WHERE (%(things)s::text[] IS NULL OR thing_id = ANY (%(things)s))
    AND (%(properties)s::text[] IS NULL OR observed_property = ANY (%(properties)s))
    AND (%(area_set)s::text IS NULL OR thing_id IN (
        SELECT area_thing.thing_id FROM area_thing JOIN area USING (area_id)
        WHERE area_set_id = %(area_set)s AND (%(areas)s::text[] IS NULL OR code = ANY (%(areas)s))))
ORDER BY datastream_id;

-- name: thing_ids
SELECT thing_id AS name FROM thing;

-- name: property_ids
SELECT DISTINCT observed_property AS name FROM datastream;

-- name: area_set_ids
SELECT area_set_id AS name FROM area_set;

-- name: area_codes
SELECT code AS name FROM area WHERE area_set_id = %(area_set)s;

-- name: area_credit
SELECT source, licence FROM area_set WHERE area_set_id = %(area_set)s;

-- name: moment
SELECT now() AS now;

-- name: place
-- Takes the first place of a holder that is free, until the transaction ends; none is tried behind it.
WITH RECURSIVE tried AS (
    SELECT 1 AS place, pg_try_advisory_xact_lock(hashtext('tsuji export'), hashtext(%(holder)s || ' 1'))
        AS is_mine
    UNION ALL
    SELECT place + 1, pg_try_advisory_xact_lock(hashtext('tsuji export'),
        hashtext(%(holder)s || ' ' || (place + 1)))
    FROM tried WHERE NOT is_mine AND place < %(places)s
)
SELECT bool_or(is_mine) AS is_mine FROM tried;

-- name: pending
-- Whether sums of some datastreams within a time are still to be made.
SELECT EXISTS (
    SELECT FROM changed JOIN datastream ON datastream_block = datastream_id >> 5
        AND members & (1::int8 << (datastream_id & 31)) <> 0
    WHERE datastream_id = ANY (%(datastream_ids)s::int4[])
        AND last_bucket > floor(extract(epoch FROM %(start)s) / 300)
        AND first_bucket <= ceil(extract(epoch FROM %(end)s) / 300)
) AS pending;

-- name: extent_0
-- The first and the last time of some datastreams within a span.
SELECT min(first.time) AS first, max(last.time) AS last
FROM unnest(%(datastream_ids)s::int4[]) AS asked (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = asked.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time LIMIT 1
) AS first
CROSS JOIN LATERAL (
    SELECT phenomenon_time AS time FROM observation
    WHERE observation.datastream_id = asked.datastream_id
        AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS last;

-- name: extent_300
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_5min
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: extent_3600
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_hour
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: extent_86400
SELECT min(bucket_end) AS first, max(bucket_end) AS last FROM rollup_day
WHERE datastream_id = ANY (%(datastream_ids)s) AND bucket_end > %(start)s AND bucket_end <= %(end)s;

-- name: copy_0
-- No value is null: so every row has the same length.
COPY (
    SELECT datastream_id, coalesce(period_s, 0), phenomenon_time, result FROM observation
    WHERE phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, phenomenon_time
) TO STDOUT (FORMAT binary);

-- name: copy_300
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_5min
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: copy_3600
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_hour
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: copy_86400
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest, coalesce(sine, 0), coalesce(cosine, 0), 0
    FROM rollup_day
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
    ORDER BY datastream_id, bucket_end
) TO STDOUT (FORMAT binary);

-- name: copy_told
-- The same without small counts, of some datastreams that count: their sums are made of the observations,
-- and where these are no longer kept of those rollups that can't hold a small count. The name of the table
-- stands for all rollups.
COPY (
    SELECT datastream_id, n, bucket_end, total, lowest, highest,
        coalesce(sine, 0) AS sine, coalesce(cosine, 0) AS cosine, 0 AS left_out
    FROM rollup_5min
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s
        AND (%(datastream_ids)s::int4[] IS NULL OR datastream_id = ANY (%(datastream_ids)s::int4[]))
        AND datastream_id <> ALL (%(counted)s::int4[])
    UNION ALL
    SELECT datastream_id, CASE WHEN is_told THEN n ELSE 0 END, bucket_end,
        CASE WHEN is_told THEN total ELSE 0 END, CASE WHEN is_told THEN lowest ELSE 0 END,
        CASE WHEN is_told THEN highest ELSE 0 END, 0, 0, CASE WHEN is_told THEN 0 ELSE n END
    FROM rollup_5min
    JOIN unnest(%(counted)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
        USING (datastream_id)
    CROSS JOIN LATERAL (SELECT highest <= 0 OR lowest >= small_below AS is_told) AS rule
    WHERE bucket_end > %(start)s AND bucket_end <= %(end)s AND bucket_end <= %(kept)s
    UNION ALL
    SELECT datastream_id, count(*) FILTER (WHERE is_told)::int4,
        date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        coalesce(sum(result) FILTER (WHERE is_told), 0), coalesce(min(result) FILTER (WHERE is_told), 0),
        coalesce(max(result) FILTER (WHERE is_told), 0), 0, 0, count(*) FILTER (WHERE NOT is_told)::int4
    FROM observation
    JOIN unnest(%(counted)s::int4[], %(small_below)s::float8[]) AS asked (datastream_id, small_below)
        USING (datastream_id)
    CROSS JOIN LATERAL (SELECT result <= 0 OR result >= small_below AS is_told) AS rule
    WHERE phenomenon_time > %(first)s AND phenomenon_time <= %(end)s AND phenomenon_time > %(kept)s
    GROUP BY 1, 3
    ORDER BY 1, 3
) TO STDOUT (FORMAT binary);

-- name: copy_judged
-- As `copy_0`, only what looks wrong or only what does not, of some datastreams. A withheld count looks
-- like nothing at all.
COPY (
    WITH rule AS MATERIALIZED (
        quality_rules()
    ), stream AS MATERIALIZED (
        SELECT asked.datastream_id, rule.*, asked.small_below
        FROM unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[])
            AS asked (datastream_id, small_below)
        JOIN datastream USING (datastream_id)
        LEFT JOIN rule USING (observed_property)
    ), picked AS MATERIALIZED (
        SELECT datastream_id, phenomenon_time, result, period_s FROM observation
        WHERE phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
            AND datastream_id = ANY (%(datastream_ids)s::int4[])
    ), judged_readings()
    SELECT datastream_id, coalesce(period_s, 0), phenomenon_time, result
    FROM judged JOIN stream USING (datastream_id)
    WHERE ((step OR stuck) AND (result <= 0 OR result >= small_below)) = %(flagged)s
    ORDER BY datastream_id, phenomenon_time
) TO STDOUT (FORMAT binary);

-- name: copy_judged_sums
-- Sums of the same. Only what is told is in them.
COPY (
    WITH rule AS MATERIALIZED (
        quality_rules()
    ), stream AS MATERIALIZED (
        SELECT asked.datastream_id, rule.*, asked.small_below
        FROM unnest(%(datastream_ids)s::int4[], %(small_below)s::float8[])
            AS asked (datastream_id, small_below)
        JOIN datastream USING (datastream_id)
        LEFT JOIN rule USING (observed_property)
    ), picked AS MATERIALIZED (
        SELECT datastream_id, phenomenon_time, result, period_s FROM observation
        WHERE phenomenon_time > %(first)s AND phenomenon_time <= %(end)s
            AND datastream_id = ANY (%(datastream_ids)s::int4[])
    ), judged_readings()
    SELECT datastream_id, count(*) FILTER (WHERE is_told)::int4,
        date_bin(%(step)s, phenomenon_time - interval '1 microsecond', %(origin)s) + %(step)s,
        coalesce(sum(result) FILTER (WHERE is_told), 0), coalesce(min(result) FILTER (WHERE is_told), 0),
        coalesce(max(result) FILTER (WHERE is_told), 0), coalesce(sum(sine), 0), coalesce(sum(cosine), 0),
        count(*) FILTER (WHERE NOT is_told)::int4
    FROM judged JOIN stream USING (datastream_id)
    CROSS JOIN LATERAL (SELECT result <= 0 OR result >= small_below AS is_told) AS rule_of_counts
    CROSS JOIN LATERAL (
        SELECT datastream_id = ANY (%(directions)s::int4[]) AS is_direction
    ) AS kind
    CROSS JOIN LATERAL (
        SELECT CASE WHEN is_direction THEN sin(radians(result)) END AS sine,
            CASE WHEN is_direction THEN cos(radians(result)) END AS cosine
    ) AS vector
    WHERE ((step OR stuck) AND is_told) = %(flagged)s
    GROUP BY 1, 3
    ORDER BY 1, 3
) TO STDOUT (FORMAT binary);
