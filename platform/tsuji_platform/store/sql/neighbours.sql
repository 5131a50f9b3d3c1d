-- name: unmeasured
-- Areas of a set of which size and centre are not known yet, with their exact shapes.
SELECT area_id, geometry FROM area WHERE area_set_id = %(area_set_id)s AND area_m2 IS NULL;

-- name: put_measures
UPDATE area SET area_m2 = measured.area_m2, centre_longitude = measured.longitude,
    centre_latitude = measured.latitude
FROM unnest(%(area_ids)s::int4[], %(areas_m2)s::float8[], %(longitudes)s::float8[], %(latitudes)s::float8[])
    AS measured (area_id, area_m2, longitude, latitude)
WHERE area.area_id = measured.area_id;

-- name: stations
-- Things with what they measure of some observed properties, of those that measure any.
SELECT thing_id, longitude, latitude, array_agg(observed_property ORDER BY observed_property) AS properties
FROM thing JOIN datastream USING (thing_id)
WHERE declared AND observed_property = ANY (%(observed_properties)s)
GROUP BY thing_id ORDER BY thing_id;

-- name: centres
-- Every area of a set with its centre and what the things in it measure of some observed properties.
SELECT area.area_id, centre_longitude AS longitude, centre_latitude AS latitude,
    coalesce(array_agg(DISTINCT observed_property) FILTER (WHERE observed_property IS NOT NULL), '{}')
        AS properties
FROM area
LEFT JOIN area_thing USING (area_id)
LEFT JOIN datastream ON datastream.thing_id = area_thing.thing_id AND declared
    AND observed_property = ANY (%(observed_properties)s)
WHERE area_set_id = %(area_set_id)s
GROUP BY area.area_id ORDER BY area.area_id;

-- name: drop_neighbours
DELETE FROM area_neighbour USING area
WHERE area_neighbour.area_id = area.area_id AND area.area_set_id = %(area_set_id)s;

-- name: put_neighbours
INSERT INTO area_neighbour (area_id, thing_id, distance_m, weight, observed_properties)
SELECT area_id, thing_id, distance_m, weight, string_to_array(observed_properties, ' ')
FROM unnest(%(area_ids)s::int4[], %(thing_ids)s::text[], %(distances)s::float8[], %(weights)s::float8[],
        %(observed_properties)s::text[])
    AS near (area_id, thing_id, distance_m, weight, observed_properties);

-- name: weighed
UPDATE area_set SET weighed_at = clock_timestamp() WHERE area_set_id = %(area_set_id)s;

-- name: weighed_at
SELECT weighed_at FROM area_set WHERE area_set_id = %(area_set_id)s;

-- name: neighbours
-- The things that speak for the areas of a set, nearest first.
SELECT code, thing_id, distance_m, weight, observed_properties
FROM area_neighbour JOIN area USING (area_id)
WHERE area_set_id = %(area_set_id)s
ORDER BY code, distance_m, thing_id;

-- name: sizes
SELECT code, area_m2 FROM area
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR code = %(code)s)
    AND area_m2 IS NOT NULL;
