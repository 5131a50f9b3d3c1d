-- name: exact
-- Stands around another query.
SELECT count(*) AS n FROM (
$query
) AS counted;

-- name: estimated
EXPLAIN (FORMAT JSON) $query;
