-- name: position
-- How far the log of a server has come, or on a standby how much of it can be seen there; and which database
-- it is: a replica of one was migrated at the same moment, and, once it follows no longer, is another server.
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
        - '0/0'::pg_lsn)::bigint AS at,
    (SELECT min(applied_at)::text FROM migration) AS database,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_postmaster_start_time()::text END AS own_since;
