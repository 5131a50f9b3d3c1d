-- name: one_snapshot
-- All that is read sees the database as the first query does; nothing is written.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: lock_for_reading
-- Before the first query, so that no chunk is dropped between the moment that it sees and the reading:
-- dropped chunks are gone for older snapshots, too. Writers go on.
LOCK TABLE {tables} IN ACCESS SHARE MODE;

-- name: moment
SELECT now() AS made_at, current_setting('server_version') AS postgres,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb;

-- name: own_tables
-- Tables of ours that outlast a crash, with how much there is of each, roughly.
SELECT relname AS name
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relpersistence = 'p'
    AND relname = ANY (%(names)s)
ORDER BY relname;

-- name: references
-- Which table refers to which.
SELECT DISTINCT referring.relname AS referring, referred.relname AS referred
FROM pg_constraint
JOIN pg_class AS referring ON referring.oid = conrelid
JOIN pg_class AS referred ON referred.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid
    AND referring.relname = ANY (%(names)s) AND referred.relname = ANY (%(names)s)
    AND referring.relnamespace = current_schema()::regnamespace;

-- name: own_columns
-- Columns of our tables. Transactions are numbered anew in every cluster: what names them can't be moved.
SELECT relname AS name, attname AS column_name, attidentity <> '' AS identity
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY (%(names)s)
    AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    AND atttypid NOT IN ('xid8'::regtype, 'pg_snapshot'::regtype)
ORDER BY relname, attnum;

-- name: next_number
-- What an identity column gives next. Numbers that are given meanwhile are of rows that are not seen.
SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END AS next FROM {sequence};

-- name: sequence
-- Behind an identity column.
SELECT nspname AS schema, relname AS name
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = pg_get_serial_sequence(quote_ident(%(table)s), %(column)s)::regclass;

-- name: no_migration
-- None begins until the connection ends; several may read.
SELECT pg_advisory_lock_shared(hashtext('tsuji migration'));

-- name: copy_out
COPY (SELECT {columns} FROM {table}) TO STDOUT;

-- name: copy_in
COPY {table} ({columns}) FROM STDIN;

-- name: note_backup
INSERT INTO backup_run (started, bytes, target) VALUES (%(started)s, %(bytes)s, %(target)s);

-- name: limit_waiting
SET LOCAL lock_timeout = '10s';

-- name: lock_for_restoring
LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE;

-- name: is_empty
SELECT NOT EXISTS (SELECT FROM {table}) AS empty;

-- name: empty_all
TRUNCATE {tables} RESTART IDENTITY;

-- name: all_tables
-- Also those that a crash may empty.
SELECT relname AS name FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
    AND relname = ANY (%(names)s)
ORDER BY relname;

-- name: go_on_numbering
-- Unlike setval, undone with the transaction.
ALTER TABLE {table} ALTER COLUMN {column} RESTART WITH {next};

-- name: registry_version
SELECT coalesce(max(version), 0) AS version FROM registry;

-- name: change_registry
-- Whatever anybody remembers of the things of before is looked up again.
INSERT INTO registry (version) VALUES (%(version)s)
ON CONFLICT (singleton) DO UPDATE SET version = greatest(registry.version, excluded.version);

-- name: analyse
ANALYZE {tables};
