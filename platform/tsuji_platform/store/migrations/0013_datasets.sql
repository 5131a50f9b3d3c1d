-- Administrative open data: datasets, their rows as features, what tables of population count, and the areas
-- in which features lie by position.

CREATE TABLE dataset (
    dataset_id text PRIMARY KEY,
    kind text NOT NULL,
    title text NOT NULL,
    title_en text NOT NULL DEFAULT '',
    publisher text NOT NULL DEFAULT '',
    licence text NOT NULL DEFAULT '',
    source text NOT NULL DEFAULT '',
    data_date date,
    data_date_precision text CHECK (data_date_precision IN ('day', 'month', 'year')),
    file_name text NOT NULL,
    encoding text NOT NULL,
    report jsonb NOT NULL,
    columns jsonb NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN dataset.report IS 'what the import did with the rows: taken, repaired, refused, with lines';

CREATE TABLE feature (
    feature_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset_id text NOT NULL REFERENCES dataset ON DELETE CASCADE,
    number int4 NOT NULL,
    line int4 NOT NULL,
    name text NOT NULL,
    name_en text NOT NULL,
    address text NOT NULL,
    code text COLLATE "C",
    code_from text COLLATE "C",
    code_to text COLLATE "C",
    longitude float8 CHECK (longitude BETWEEN -180 AND 180),
    latitude float8 CHECK (latitude BETWEEN -90 AND 90),
    capacity int4,
    flags text[] NOT NULL,
    fields jsonb NOT NULL,
    properties jsonb NOT NULL,
    UNIQUE (dataset_id, number),
    CHECK ((longitude IS NULL) = (latitude IS NULL))
);
CREATE INDEX feature_code ON feature (code);
COMMENT ON COLUMN feature.code IS 'five digits; the way to join by code';
COMMENT ON COLUMN feature.code_from IS 'code_from to code_to: codes of what lies within code, such as wards';

CREATE TABLE feature_area (
    area_id int4 NOT NULL REFERENCES area ON DELETE CASCADE,
    feature_id bigint NOT NULL REFERENCES feature ON DELETE CASCADE,
    PRIMARY KEY (area_id, feature_id)
);
CREATE INDEX feature_area_feature ON feature_area (feature_id);
COMMENT ON TABLE feature_area IS 'the way to join by position; computed when features or areas change';

CREATE TABLE population (
    feature_id bigint NOT NULL REFERENCES feature ON DELETE CASCADE,
    dataset_id text NOT NULL REFERENCES dataset ON DELETE CASCADE,
    code text COLLATE "C" NOT NULL,
    region_code text NOT NULL,
    region text NOT NULL,
    series text NOT NULL,
    count_date date NOT NULL,
    count_date_precision text NOT NULL CHECK (count_date_precision IN ('day', 'month', 'year')),
    measure text NOT NULL CHECK (measure IN ('people', 'households')),
    sex text NOT NULL CHECK (sex IN ('total', 'male', 'female')),
    age_from int2,
    age_to int2,
    count bigint NOT NULL CHECK (count >= 0)
);
CREATE INDEX population_code ON population (code, measure, count_date);
CREATE INDEX population_feature ON population (feature_id);
CREATE INDEX population_dataset ON population (dataset_id);
COMMENT ON COLUMN population.age_from IS 'null for all ages; age_to null where there is no upper limit';

-- The municipality at a feature's position is that of the newest set of municipalities that has one there.
CREATE VIEW placed_feature AS
SELECT feature.*, place.code AS position_code, place.area_set_id AS position_set,
    coalesce(
        place.code <> feature.code AND NOT place.code BETWEEN feature.code_from AND feature.code_to, false
    ) AS contradicts
FROM feature LEFT JOIN LATERAL (
    SELECT area.code COLLATE "C" AS code, area.area_set_id
    FROM feature_area JOIN area USING (area_id) JOIN area_set USING (area_set_id)
    WHERE feature_area.feature_id = feature.feature_id AND area_set.kind = 'municipality'
    ORDER BY area_set.imported_at DESC, area.area_set_id
    LIMIT 1
) AS place ON true;
