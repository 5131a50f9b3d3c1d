-- name: put_dataset
INSERT INTO dataset (dataset_id, kind, title, title_en, publisher, licence, source, data_date,
    data_date_precision, file_name, encoding, report, columns)
VALUES (%(dataset_id)s, %(kind)s, %(title)s, %(title_en)s, %(publisher)s, %(licence)s, %(source)s,
    %(data_date)s, %(data_date_precision)s, %(file_name)s, %(encoding)s, %(report)s, %(columns)s);

-- name: drop_dataset
DELETE FROM dataset WHERE dataset_id = %(dataset_id)s RETURNING dataset_id;

-- name: stage_features
-- Rows wait here while a file is read, so that nobody else waits for them.
CREATE TEMPORARY TABLE feature_stage ON COMMIT DROP AS
SELECT number, line, name, name_en, address, code, code_from, code_to, longitude, latitude, capacity, flags,
    fields, properties
FROM feature WITH NO DATA;

-- name: copy_features
COPY feature_stage (number, line, name, name_en, address, code, code_from, code_to, longitude, latitude,
    capacity, flags, fields, properties) FROM STDIN;

-- name: put_features
INSERT INTO feature (dataset_id, number, line, name, name_en, address, code, code_from, code_to, longitude,
    latitude, capacity, flags, fields, properties)
SELECT %(dataset_id)s, number, line, name, name_en, address, code, code_from, code_to, longitude,
    latitude, capacity, flags, fields, properties
FROM feature_stage ORDER BY number;

-- name: stage_population
CREATE TEMPORARY TABLE population_stage (
    number int4, code text, region_code text, region text, series text, count_date date,
    count_date_precision text, measure text, sex text, age_from int2, age_to int2, count bigint
) ON COMMIT DROP;

-- name: copy_population
COPY population_stage FROM STDIN;

-- name: put_population
INSERT INTO population (feature_id, dataset_id, code, region_code, region, series, count_date,
    count_date_precision, measure, sex, age_from, age_to, count)
SELECT feature_id, dataset_id, stage.code, region_code, region, series, count_date, count_date_precision,
    measure, sex, age_from, age_to, count
FROM population_stage AS stage JOIN feature ON feature.dataset_id = %(dataset_id)s
    AND feature.number = stage.number
ORDER BY stage.number;

-- name: datasets
SELECT dataset_id, kind, title, title_en, publisher, licence, source, data_date, data_date_precision,
    file_name, encoding, report, columns, imported_at,
    (SELECT count(*) FROM feature WHERE feature.dataset_id = dataset.dataset_id) AS features
FROM dataset
WHERE %(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s
ORDER BY dataset_id;

-- name: features
-- Rows of a dataset in their order; what is not asked for is null.
SELECT number, line, name, name_en, address, code, position_code, longitude, latitude, capacity, flags, fields,
    properties, contradicts
FROM placed_feature AS it
WHERE dataset_id = %(dataset_id)s AND number > %(after)s
    AND (%(west)s::float8 IS NULL OR (longitude BETWEEN %(west)s AND %(east)s
        AND latitude BETWEEN %(south)s AND %(north)s))
    AND (%(area_code)s::text IS NULL OR it.code = %(area_code)s)
    AND (%(area_id)s::int4 IS NULL OR EXISTS (
        SELECT FROM feature_area WHERE area_id = %(area_id)s AND feature_area.feature_id = it.feature_id))
    AND (%(flagged)s::boolean IS NULL OR %(flagged)s = (contradicts OR flags <> '{}'))
    AND (%(flag)s::text IS NULL OR %(flag)s = ANY (flags)
        OR (contradicts AND %(flag)s = 'position_contradicts_code'))
ORDER BY number
LIMIT %(limit)s;

-- name: area_id
SELECT area_id FROM area WHERE area_set_id = %(area_set_id)s AND code = %(code)s;

-- name: contradicting
-- How many rows of each dataset lie elsewhere than their code says.
SELECT dataset_id, count(*) AS features FROM placed_feature
WHERE contradicts AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
GROUP BY dataset_id;

-- name: counts_by_code
-- Features of each area by their own codes. `capacity` is null where no row says one.
SELECT feature.code AS area_code, dataset_id, count(*) AS features,
    count(capacity) AS with_capacity, sum(capacity) AS capacity
FROM area JOIN feature ON feature.code = area.code JOIN dataset USING (dataset_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
    AND (%(kinds)s::text[] IS NULL OR dataset.kind = ANY (%(kinds)s))
GROUP BY feature.code, dataset_id
ORDER BY area_code, dataset_id;

-- name: counts_by_position
-- Features of each area by where they are. Of the uncoded only those that no area of the set has by code: they
-- carry none, or that of the city or prefecture in which the area lies.
SELECT area.code AS area_code, dataset_id, count(*) AS features,
    count(capacity) AS with_capacity, sum(capacity) AS capacity
FROM area JOIN feature_area USING (area_id) JOIN feature USING (feature_id) JOIN dataset USING (dataset_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
    AND (%(kinds)s::text[] IS NULL OR dataset.kind = ANY (%(kinds)s))
    AND (NOT %(uncoded)s OR feature.code IS NULL
        OR (area.code COLLATE "C" BETWEEN feature.code_from AND feature.code_to AND NOT EXISTS (
            SELECT FROM area AS named
            WHERE named.area_set_id = %(area_set_id)s AND named.code = feature.code)))
GROUP BY area.code, dataset_id
ORDER BY area_code, dataset_id;

-- name: points
-- Features with a position, of one dataset or of all, for assignment.
SELECT feature_id, longitude, latitude FROM feature
WHERE longitude IS NOT NULL AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
ORDER BY feature_id;

-- name: put_places
INSERT INTO feature_area (area_id, feature_id)
SELECT * FROM unnest(%(area_ids)s::int4[], %(feature_ids)s::bigint[]);

-- name: analyze
-- So that the first who ask after an import need not wait for the server to look at the new rows by itself.
ANALYZE feature, feature_area, population;
