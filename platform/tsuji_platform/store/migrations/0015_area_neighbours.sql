-- How large an area is, where its centre is, and which things near by speak for it where it has no
-- sensor of its own: computed by geo with the assignment, never by request.

ALTER TABLE area
    ADD COLUMN area_m2 float8,
    ADD COLUMN centre_longitude float8,
    ADD COLUMN centre_latitude float8;
COMMENT ON COLUMN area.area_m2 IS 'on the ellipsoid, of the exact shape; NULL until the next assignment';
COMMENT ON COLUMN area.centre_longitude IS 'a point inside the largest part, from which distances count';

CREATE TABLE area_neighbour (
    area_id int4 NOT NULL REFERENCES area ON DELETE CASCADE,
    thing_id text NOT NULL REFERENCES thing ON DELETE CASCADE,
    distance_m float8 NOT NULL,
    weight float8 NOT NULL,
    observed_properties text[] NOT NULL,
    PRIMARY KEY (area_id, thing_id)
);
CREATE INDEX area_neighbour_thing ON area_neighbour (thing_id);
COMMENT ON TABLE area_neighbour IS 'computed when things or areas change';
COMMENT ON COLUMN area_neighbour.observed_properties IS
    'what the thing may be asked for: weather that no thing in the area measures';

ALTER TABLE area_set ADD COLUMN weighed_at timestamptz;
COMMENT ON COLUMN area_set.weighed_at IS 'changes with its neighbours, so that readers may hold them';
