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

-- name: lock_migration
-- One migration at a time; held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('tsuji migration'));

-- name: migrations
SELECT name, checksum FROM migration ORDER BY name;

-- name: record_migration
INSERT INTO migration (name, checksum) VALUES (%(name)s, %(checksum)s);
