-- name: edition
-- What the database is: server version, TimescaleDB's version and licence where it has it.
SELECT current_setting('server_version') AS postgres,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
    current_setting('timescaledb.license', true) AS licence;

-- name: create_timescaledb
CREATE EXTENSION IF NOT EXISTS timescaledb;

-- name: create_migration
CREATE TABLE IF NOT EXISTS migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations
SELECT to_regclass('migration') IS NOT NULL AS there;

-- name: taken_names
-- Views, sequences and whatever else has a name among tables, too.
SELECT relname AS name FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY (%(names)s)
ORDER BY relname;

-- name: lock_migration
-- One migration at a time; held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('tsuji migration'));

-- name: try_lock_migration
-- The same where nobody has it.
SELECT pg_try_advisory_xact_lock(hashtext('tsuji migration')) AS locked;

-- name: limit_waiting
SET LOCAL lock_timeout = '2s';

-- name: migrations
SELECT name, checksum FROM migration ORDER BY name;

-- name: record_migration
INSERT INTO migration (name, checksum) VALUES (%(name)s, %(checksum)s);

-- name: log_everything
-- All that there is waits to be rolled up anew, as after migration 0004.
INSERT INTO changed (members, datastream_block, first_bucket, last_bucket, late)
SELECT 1::int8 << (datastream_id & 31), datastream_id >> 5,
    ceil(extract(epoch FROM first_time) / 300)::int4, ceil(extract(epoch FROM last_time) / 300)::int4,
    true
FROM datastream
CROSS JOIN LATERAL (
    SELECT min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
) AS held
WHERE first_time IS NOT NULL;
