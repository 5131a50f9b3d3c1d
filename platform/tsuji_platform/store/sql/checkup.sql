-- name: clock
SELECT clock_timestamp() AS now;

-- name: rollup_log
-- How much waits to be rolled up, counted no further than it matters, and up to when what is new is done.
-- A bucket that has not ended is no lag.
WITH waiting AS MATERIALIZED (
    SELECT late, first_bucket FROM changed LIMIT %(most)s
)
SELECT count(*) FILTER (WHERE NOT late) AS new_rows, count(*) FILTER (WHERE late) AS late_rows,
    greatest(0, extract(epoch FROM now())
        - min(first_bucket) FILTER (WHERE NOT late) * 300::float8) AS lag_s
FROM waiting;

-- name: sizes
-- Bytes of the largest tables with their indexes; chunks are inheritors of the tables that they are cut from.
SELECT tables.relname AS name,
    pg_total_relation_size(tables.oid) + coalesce((
        SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = tables.oid
    ), 0) AS bytes
FROM pg_class AS tables
WHERE tables.relnamespace = to_regnamespace('public') AND tables.relname = ANY (%(tables)s)
    AND tables.relkind IN ('r', 'p')
ORDER BY tables.relname;

-- name: has_timescaledb
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS there;

-- name: hypertable_sizes
-- The same where chunks may be in a columnstore, which does not inherit from anything.
SELECT hypertable_name AS name,
    hypertable_size(format('%%I.%%I', hypertable_schema, hypertable_name)::regclass) AS bytes
FROM timescaledb_information.hypertables
WHERE hypertable_schema = 'public' AND hypertable_name = ANY (%(tables)s);

-- name: database_size
SELECT pg_database_size(current_database()) AS bytes;

-- name: has_backups
SELECT to_regclass('public.backup_run') IS NOT NULL AS has_backups;

-- name: last_backup
SELECT started, ended, bytes, target FROM backup_run
WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1;

-- name: has_migrations
SELECT to_regclass('public.migration') IS NOT NULL AS has_migrations;

-- name: migration_names
SELECT name FROM migration ORDER BY name;

-- name: role
-- Who we are, whether that may do anything at all, and how much room there is for connections.
SELECT current_user AS name, rolsuper AS superuser,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::int AS most_connections
FROM pg_roles WHERE rolname = current_user;

-- name: lacking_rights
-- Which of these tables we may not read, or not write.
SELECT tables.name, tables.privilege
FROM unnest(%(tables)s::text[], %(privileges)s::text[]) AS tables (name, privilege)
WHERE to_regclass('public.' || tables.name) IS NOT NULL
    AND NOT has_table_privilege('public.' || tables.name, tables.privilege)
ORDER BY 1, 2;

-- name: longest_transaction
-- The oldest open transaction: while it lasts nothing that is deleted makes room.
SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 AS seconds
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid();
