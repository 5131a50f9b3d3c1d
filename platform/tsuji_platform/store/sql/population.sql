-- name: population_of_code
-- All that is counted of one code, in the order of the tables, whole municipality and regions alike.
SELECT population_id, dataset_id, region_code, region, series, count_date, count_date_precision, measure, sex,
    age_from, age_to, count
FROM population
WHERE code = %(code)s AND population_id > %(after)s
    AND (%(dataset_id)s::text IS NULL OR dataset_id = %(dataset_id)s)
    AND (%(count_date)s::date IS NULL OR count_date = %(count_date)s)
ORDER BY population_id
LIMIT %(limit)s;

-- name: newest_totals
-- The newest count of all ages and both sexes in each area. Of a table that does not say it: men and women
-- together, or all its age groups; of one that counts regions and no whole municipality, all its regions. What
-- counts one sex only is no total, and what is said of days to come is no count.
SELECT DISTINCT ON (area.code) area.code, counted.dataset_id, series, count_date, count_date_precision, count,
    regions, (fields ->> 'area_km2')::float8 AS area_km2
FROM area JOIN (
    SELECT code, dataset_id, series, count_date, min(count_date_precision) AS count_date_precision,
        coalesce(sum(count) FILTER (WHERE is_whole), sum(count))::bigint AS count,
        min(feature_id) AS feature_id,
        CASE WHEN bool_or(is_whole) THEN 0 ELSE count(*) END AS regions
    FROM (
        SELECT code, dataset_id, series, count_date, region_code = '' AND region = '' AS is_whole,
            min(count_date_precision) AS count_date_precision, min(feature_id) AS feature_id,
            coalesce(
                max(count) FILTER (WHERE sex = 'total' AND age_from IS NULL),
                CASE WHEN count(*) FILTER (WHERE sex <> 'total' AND age_from IS NULL) = 2
                    THEN sum(count) FILTER (WHERE sex <> 'total' AND age_from IS NULL) END,
                sum(count) FILTER (WHERE sex = 'total'),
                CASE WHEN count(DISTINCT sex) FILTER (WHERE age_from IS NOT NULL) = 2
                    THEN sum(count) FILTER (WHERE age_from IS NOT NULL) END
            ) AS count
        FROM population
        WHERE measure = %(measure)s AND count_date <= (now() AT TIME ZONE 'Asia/Tokyo')::date
            AND code IN (SELECT code FROM area WHERE area_set_id = %(area_set_id)s
                AND (%(code)s::text IS NULL OR area.code = %(code)s))
        GROUP BY code, dataset_id, series, count_date, region_code, region
    ) AS by_region
    WHERE count IS NOT NULL
    GROUP BY code, dataset_id, series, count_date
) AS counted ON counted.code = area.code
LEFT JOIN feature USING (feature_id)
WHERE area_set_id = %(area_set_id)s AND (%(code)s::text IS NULL OR area.code = %(code)s)
ORDER BY area.code, count_date DESC, counted.dataset_id, series;
