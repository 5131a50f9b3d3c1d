-- name: rejected_extent
-- What tells cheaply that much has come since the last look: the highest id, and room on disk.
SELECT coalesce((SELECT max(rejected_id) FROM rejected_message), 0) AS newest_id,
    pg_total_relation_size('rejected_message') AS room;

-- name: rejected_too_much
-- Whether there may be anything to forget; room on disk holds what was deleted lately, too.
SELECT count(*) > %(messages)s
    OR pg_total_relation_size('rejected_message') > %(octets)s
    OR coalesce(min(last_received_at) < %(before)s::timestamptz, false) AS too_much
FROM rejected_message;

-- name: forgettable
-- What is too old, or beyond what may be kept when the newest are taken first. Messages that wait for
-- their thing come before all others, as far as they take no more than nine tenths of the room.
WITH sized AS MATERIALIZED (
    SELECT rejected_id, last_received_at,
        reason IN ('unregistered_thing', 'undeclared_datastream') AS waits,
        octet_length(payload) + octet_length(topic) + octet_length(detail) AS octets
    FROM rejected_message
), of_its_kind AS (
    SELECT rejected_id, last_received_at, octets,
        waits AND row_number() OVER kind <= 0.9 * %(messages)s
            AND sum(octets) OVER kind <= 0.9 * %(octets)s AS comes_first
    FROM sized
    WINDOW kind AS (PARTITION BY waits ORDER BY last_received_at DESC, rejected_id DESC)
), ranked AS (
    SELECT rejected_id, last_received_at, row_number() OVER ranking AS place,
        sum(octets) OVER ranking AS octets
    FROM of_its_kind
    WINDOW ranking AS (ORDER BY comes_first DESC, last_received_at DESC, rejected_id DESC
        ROWS UNBOUNDED PRECEDING)
)
SELECT rejected_id FROM ranked
WHERE place > %(messages)s OR octets > %(octets)s OR last_received_at < %(before)s::timestamptz
ORDER BY place DESC LIMIT %(limit)s;

-- name: forget_rejected
-- What another transaction works on is left for the next time, so that nobody waits for anybody.
WITH gone AS (
    SELECT rejected_id FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s)
    ORDER BY digest FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM rejected_message USING gone WHERE rejected_message.rejected_id = gone.rejected_id
    RETURNING value_count
)
SELECT count(*) AS messages, coalesce(sum(value_count), 0)::bigint AS value_count FROM deleted;

-- name: count_forgotten
INSERT INTO ingest_counter AS c (ingest_id, forgotten_messages, forgotten_values)
VALUES (%(ingest_id)s, %(messages)s, %(value_count)s)
ON CONFLICT (ingest_id) DO UPDATE SET
    forgotten_messages = c.forgotten_messages + excluded.forgotten_messages,
    forgotten_values = c.forgotten_values + excluded.forgotten_values;
