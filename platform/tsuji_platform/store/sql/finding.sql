-- name: chosen_things
-- Ids of the things that meet every condition that is given.
SELECT thing_id FROM thing
WHERE (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(west)s::float8 IS NULL OR (longitude >= %(west)s AND longitude <= %(east)s
        AND latitude >= %(south)s AND latitude <= %(north)s))
    AND (%(observed_properties)s::text[] IS NULL OR EXISTS (
        SELECT FROM datastream
        WHERE datastream.thing_id = thing.thing_id AND declared
            AND observed_property = ANY (%(observed_properties)s)))
    AND (%(area_set_id)s::text IS NULL OR thing_id IN (
        SELECT area_thing.thing_id FROM area_thing JOIN area USING (area_id)
        WHERE area_set_id = %(area_set_id)s
            AND (%(codes)s::text[] IS NULL OR code = ANY (%(codes)s))))
ORDER BY thing_id;

-- name: has_thing
SELECT FROM thing WHERE thing_id = %(thing_id)s;

-- name: thing_ids
SELECT thing_id AS name FROM thing ORDER BY thing_id;

-- name: area_codes
SELECT code AS name FROM area WHERE area_set_id = %(area_set_id)s ORDER BY code;

-- name: datastreams
-- One page of the datastreams that things list, by thing and observed property, with what came last.
SELECT thing_id, observed_property, phenomenon_time, result, latest.period_s,
    small_below(datastream) AS small_below
FROM datastream LEFT JOIN latest USING (datastream_id)
WHERE declared
    AND (%(thing_ids)s::text[] IS NULL OR thing_id = ANY (%(thing_ids)s))
    AND (%(observed_properties)s::text[] IS NULL OR observed_property = ANY (%(observed_properties)s))
    AND (%(after_thing)s::text IS NULL
        OR (thing_id, observed_property) > (%(after_thing)s, %(after_property)s))
ORDER BY thing_id, observed_property
LIMIT %(limit)s;

-- name: observations_of_thing
-- Only ever counted.
SELECT phenomenon_time FROM observation
WHERE datastream_id = ANY (ARRAY(SELECT datastream_id FROM datastream
        WHERE thing_id = %(thing_id)s
            AND (%(observed_property)s::text IS NULL OR observed_property = %(observed_property)s)))
    AND phenomenon_time > %(start)s AND phenomenon_time <= %(end)s
LIMIT %(limit)s;

-- name: observed
-- What things measure now, where, and the Tokyo days of the first and the newest value of each that there
-- is; of sums where observations are no longer kept. A datastream costs a look into an index, a new one two.
SELECT observed_property,
    min(longitude) AS west, min(latitude) AS south, max(longitude) AS east, max(latitude) AS north,
    min((coalesce(day.ended, raw.time, phenomenon_time) - interval '1 microsecond')
        AT TIME ZONE 'Asia/Tokyo')::date AS first_day,
    max((phenomenon_time - interval '1 microsecond') AT TIME ZONE 'Asia/Tokyo')::date AS last_day
FROM datastream JOIN latest USING (datastream_id) JOIN thing USING (thing_id)
LEFT JOIN LATERAL (
    SELECT bucket_end AS ended FROM rollup_day
    WHERE rollup_day.datastream_id = datastream.datastream_id
    ORDER BY bucket_end LIMIT 1
) AS day ON true
LEFT JOIN LATERAL (
    SELECT observation.phenomenon_time AS time FROM observation
    WHERE day.ended IS NULL AND observation.datastream_id = datastream.datastream_id
    ORDER BY observation.phenomenon_time LIMIT 1
) AS raw ON true
GROUP BY observed_property
HAVING bool_or(declared);
