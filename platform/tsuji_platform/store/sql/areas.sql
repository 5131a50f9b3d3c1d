-- name: area_sets
-- Every area set with its size; municipalities first, since that is how planners think.
SELECT area_set_id, area_set.name, area_set.name_en, kind, source, licence, imported_at,
    count(area_id) AS areas, min(west) AS west, min(south) AS south, max(east) AS east, max(north) AS north
FROM area_set LEFT JOIN area USING (area_set_id)
WHERE %(area_set_id)s::text IS NULL OR area_set_id = %(area_set_id)s
GROUP BY area_set_id
ORDER BY kind <> 'municipality', kind <> 'polygon', area_set_id;

-- name: areas
SELECT code, area.name, area.name_en, display_geometry AS geometry, west, south, east, north,
    (SELECT count(*) FROM area_thing WHERE area_thing.area_id = area.area_id) AS things
FROM area WHERE area_set_id = %(area_set_id)s
    AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY code;

-- name: area_shapes
-- The exact shapes, for assignment.
SELECT area_id, geometry FROM area WHERE area_set_id = %(area_set_id)s ORDER BY code;

-- name: membership
-- Which things stand in which area of a set.
SELECT code, thing_id FROM area JOIN area_thing USING (area_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY code, thing_id;

-- name: areas_of_thing
SELECT area_set_id, code, area.name, area.name_en FROM area JOIN area_thing USING (area_id)
WHERE thing_id = %(thing_id)s ORDER BY area_set_id, code;

-- name: thing_points
SELECT thing_id, longitude, latitude FROM thing ORDER BY thing_id;

-- name: lock_assignment
-- One assignment at a time; held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('tsuji assignment'));

-- name: put_area_set
INSERT INTO area_set (area_set_id, name, name_en, kind, source, licence)
VALUES (%(area_set_id)s, %(name)s, %(name_en)s, %(kind)s, %(source)s, %(licence)s)
ON CONFLICT (area_set_id) DO UPDATE SET
    name = excluded.name, name_en = excluded.name_en, kind = excluded.kind, source = excluded.source,
    licence = excluded.licence, imported_at = now();

-- name: drop_areas
DELETE FROM area WHERE area_set_id = %(area_set_id)s;

-- name: put_area
INSERT INTO area (area_set_id, code, name, name_en, west, south, east, north, geometry, display_geometry)
VALUES (%(area_set_id)s, %(code)s, %(name)s, %(name_en)s, %(west)s, %(south)s, %(east)s, %(north)s,
        %(geometry)s, %(display_geometry)s);

-- name: drop_area_set
DELETE FROM area_set WHERE area_set_id = %(area_set_id)s RETURNING area_set_id;

-- name: drop_assignment
DELETE FROM area_thing USING area
WHERE area_thing.area_id = area.area_id AND area.area_set_id = %(area_set_id)s;

-- name: put_assignment
INSERT INTO area_thing (area_id, thing_id)
SELECT * FROM unnest(%(area_ids)s::int4[], %(thing_ids)s::text[]);
