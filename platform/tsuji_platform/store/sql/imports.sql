-- name: begin_import
-- The import as it stands, begun where it is new; `rejected_file` is that of its beginning.
INSERT INTO import_progress (import_id, source, rejected_file)
VALUES (%(import_id)s, %(source)s, %(rejected_file)s)
ON CONFLICT (import_id) DO UPDATE SET updated_at = import_progress.updated_at
RETURNING *;

-- name: find_import
SELECT * FROM import_progress WHERE import_id = %(import_id)s;

-- name: forget_import
DELETE FROM import_progress WHERE import_id = %(import_id)s;

-- name: advance_import
-- Nothing is returned where another process has gone on with the same import meanwhile.
UPDATE import_progress SET
    updated_at = now(),
    finished_at = CASE WHEN %(finished)s THEN now() END,
    rows_done = %(rows_done)s, lines_done = %(lines_done)s, bytes_done = %(bytes_done)s,
    stored = %(stored)s, duplicate = %(duplicate)s, corrected = %(corrected)s,
    rejected = %(rejected)s, kept = %(kept)s,
    first_time = %(first_time)s, last_time = %(last_time)s, reasons = %(reasons)s,
    rejected_file = %(rejected_file)s, rejected_bytes = %(rejected_bytes)s
WHERE import_id = %(import_id)s AND finished_at IS NULL
    AND rows_done = %(rows_before)s AND lines_done = %(lines_before)s
RETURNING finished_at;

-- name: lock_import
-- Held until the transaction ends, so that two processes can't both go on from here.
SELECT rows_done, lines_done FROM import_progress WHERE import_id = %(import_id)s FOR UPDATE;

-- name: claim_import
-- Nobody else goes on with an import while this connection lasts.
SELECT pg_try_advisory_lock(hashtextextended('tsuji import ' || %(import_id)s, 0)) AS ours,
    set_config('application_name', %(name)s, false);

-- name: holder_of_import
-- Which connection holds that; not ours.
SELECT pid, application_name AS name, backend_start AS since
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (classid::int8 << 32) | objid::int8 = hashtextextended('tsuji import ' || %(import_id)s, 0);

-- name: end_connection
SELECT pg_terminate_backend(%(pid)s);

-- name: unclaim_import
SELECT pg_advisory_unlock(hashtextextended('tsuji import ' || %(import_id)s, 0));

-- name: count_kept
-- Rows of the stage for which another value is there and stays.
SELECT count(*) AS kept
FROM stage JOIN observation USING (datastream_id, phenomenon_time)
WHERE (observation.result, observation.period_s) IS DISTINCT FROM (stage.result, stage.period_s);

-- name: compare_stage
-- What would become of the rows of the stage.
SELECT count(*) FILTER (WHERE o.datastream_id IS NULL) AS absent,
    count(*) FILTER (WHERE o.datastream_id IS NOT NULL
        AND (o.result, o.period_s) IS DISTINCT FROM (stage.result, stage.period_s)) AS other
FROM stage LEFT JOIN observation AS o USING (datastream_id, phenomenon_time);

-- name: declared_datastreams
SELECT thing_id, observed_property FROM datastream WHERE thing_id = ANY (%(thing_ids)s) AND declared
ORDER BY datastream_id;
