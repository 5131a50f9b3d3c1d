-- name: rejected
-- Rejected messages, the newest first; of each payload only its beginning.
SELECT rejected_id, topic, substring(payload FROM 1 FOR %(payload_bytes)s) AS payload,
    octet_length(payload) AS payload_size, thing_id, reason, detail, value_count, seen,
    first_received_at, last_received_at
FROM rejected_message
WHERE (%(rejected_id)s::bigint IS NULL OR rejected_id = %(rejected_id)s)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s;

-- name: rejected_summary
-- How many messages and values are kept, by reason and thing, the most frequent first.
SELECT reason, thing_id, count(*) AS messages, sum(value_count)::bigint AS value_count,
    max(last_received_at) AS last_received_at
FROM rejected_message
WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
GROUP BY reason, thing_id
ORDER BY messages DESC, reason, thing_id;

-- name: rejected_by_reason
SELECT reason, count(*) AS messages FROM rejected_message GROUP BY reason ORDER BY reason;

-- name: purge_rejected
-- What purging takes away is gone; the counters stay, since it was received and rejected.
WITH gone AS (
    SELECT rejected_id FROM rejected_message
    WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
        AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
        AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
        AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
    ORDER BY digest FOR UPDATE
)
DELETE FROM rejected_message USING gone WHERE rejected_message.rejected_id = gone.rejected_id
RETURNING value_count;

-- name: newest_rejected
SELECT max(rejected_id) AS rejected_id FROM rejected_message;

-- name: rejected_to_retry
-- One page of messages by id, each once, whatever number of reasons it was refused for.
SELECT max(rejected_id) AS rejected_id, topic, payload, max(last_received_at) AS last_received_at
FROM (
    SELECT rejected_id, topic, payload, last_received_at FROM rejected_message
    WHERE rejected_id > %(after)s AND rejected_id <= %(newest)s
        AND (%(rejected_ids)s::bigint[] IS NULL OR rejected_id = ANY (%(rejected_ids)s))
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
        AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
        AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
        AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
    ORDER BY rejected_id LIMIT %(limit)s
) AS page
GROUP BY topic, payload;

-- name: lock_rejected
-- All that is kept of some messages, for all reasons; in the order of the key, like those that write it.
SELECT rejected_id, digest, reason, value_count, seen FROM rejected_message
WHERE digest = ANY (%(digests)s) ORDER BY digest FOR UPDATE;

-- name: drop_rejected
DELETE FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s);

-- name: registered_things
SELECT thing_id FROM thing WHERE thing_id = ANY (%(thing_ids)s);
