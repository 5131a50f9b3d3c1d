-- name: may_read_control
SELECT has_function_privilege('pg_control_system()', 'execute')
    AND has_function_privilege('pg_control_checkpoint()', 'execute') AS may;

-- name: identity
-- Which cluster, which of its time lines and which database: transactions are numbered within these.
SELECT system_identifier::text || '/' || timeline_id || '/' || pg_database.oid AS identity
FROM pg_control_system(), pg_control_checkpoint(), pg_database WHERE datname = current_database();

-- name: identity_by_name
-- The same as far as it can be said without being let to read the cluster's control data.
SELECT pg_database.oid || '/' || datname AS identity
FROM pg_database WHERE datname = current_database();

-- name: look
-- The newest observation of each datastream that was written, declared or dropped since a snapshot, as
-- of one moment; all of them where there is no snapshot. At least one row in any case.
SELECT taken.*, changed.*
FROM (
    SELECT pg_current_snapshot()::text AS snapshot,
        coalesce((SELECT version FROM registry), 0) AS registry,
        (SELECT max(lag_s) FROM ingest_counter WHERE seen_at > now() - interval '30 s') AS lag_s
) AS taken
LEFT JOIN (
    SELECT datastream_id, thing_id, observed_property, declared, phenomenon_time, result,
        latest.period_s, received_at, small_below(datastream) AS small_below,
        greatest(datastream.revision, latest.revision)::text AS revision
    FROM datastream LEFT JOIN latest USING (datastream_id)
    WHERE %(since)s::pg_snapshot IS NULL
        OR NOT pg_visible_in_snapshot(datastream.revision, %(since)s::pg_snapshot)
        OR NOT pg_visible_in_snapshot(latest.revision, %(since)s::pg_snapshot)
) AS changed ON true
ORDER BY thing_id, datastream_id;

-- name: kinds
SELECT DISTINCT kind FROM thing ORDER BY kind;

-- name: area_boxes
SELECT code, west, south, east, north FROM area WHERE area_set_id = %(area_set_id)s;

-- name: alerts_after
-- What was said of alerts behind a number, in order, and what the alert's rule looks at.
SELECT message_no, body, document ->> 'observed_property' AS observed_property,
    document ->> 'figure' AS figure
FROM alert_message JOIN alert USING (alert_id)
WHERE message_no > %(after)s ORDER BY message_no LIMIT %(limit)s;

-- name: alerts_on
-- What was said when the alerts began that are on, the newest last.
SELECT message_no, body, document ->> 'observed_property' AS observed_property,
    document ->> 'figure' AS figure
FROM alert_message JOIN alert USING (alert_id)
WHERE ended_at IS NULL AND NOT ends ORDER BY message_no;

-- name: newest_alert_message
SELECT coalesce(max(message_no), 0)::bigint AS message_no FROM alert_message;
