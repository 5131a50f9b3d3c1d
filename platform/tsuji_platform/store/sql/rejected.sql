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
SELECT reason, count(*) AS messages, sum(value_count)::bigint AS value_count
FROM rejected_message GROUP BY reason ORDER BY reason;

-- name: rejected_of_thing
-- What is kept of one thing by reason, and how much of it came lately.
SELECT reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
    count(*) FILTER (WHERE last_received_at > %(lately)s) AS messages_lately,
    max(last_received_at) AS last_received_at
FROM rejected_message WHERE thing_id = %(thing_id)s GROUP BY reason ORDER BY reason;

-- name: rejected_counts
-- One page of what is kept by thing and reason; what is nobody's comes last.
SELECT * FROM (
    (SELECT thing_id, reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
        max(last_received_at) AS last_received_at
    FROM rejected_message
    WHERE thing_id IS NOT NULL AND NOT %(after_the_last_thing)s
        AND (%(after_thing_id)s::text IS NULL
            OR (thing_id, reason) > (%(after_thing_id)s, %(after_reason)s))
        AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    GROUP BY thing_id, reason ORDER BY thing_id, reason LIMIT %(limit)s)
    UNION ALL
    (SELECT thing_id, reason, count(*) AS messages, sum(value_count)::bigint AS value_count,
        max(last_received_at) AS last_received_at
    FROM rejected_message
    WHERE thing_id IS NULL AND %(thing_id)s::text IS NULL
        AND (NOT %(after_the_last_thing)s OR reason > %(after_reason)s)
        AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    GROUP BY thing_id, reason ORDER BY reason LIMIT %(limit)s)
) AS counted
ORDER BY thing_id NULLS LAST, reason LIMIT %(limit)s;

-- name: forgotten
-- What all ingests together have forgotten since the beginning.
SELECT coalesce(sum(forgotten_messages), 0)::bigint AS messages,
    coalesce(sum(forgotten_values), 0)::bigint AS value_count
FROM ingest_counter;

-- name: refused_by_imports
-- Of what is counted as rejected, what imports have put into files of their own instead.
SELECT coalesce(sum(rejected), 0)::bigint AS value_count
FROM ingest_counter WHERE ingest_id = %(ingest_id)s;

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
-- One page of rejected messages, the newest first, each once for each reason that it was refused for.
SELECT rejected_id, topic, payload, last_received_at FROM rejected_message
WHERE rejected_id <= %(newest)s
    AND (%(below_time)s::timestamptz IS NULL
        OR (last_received_at, rejected_id) < (%(below_time)s, %(below_id)s))
    AND (%(rejected_ids)s::bigint[] IS NULL OR rejected_id = ANY (%(rejected_ids)s))
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(thing_id)s::text IS NULL OR thing_id = %(thing_id)s)
    AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
    AND (%(before)s::timestamptz IS NULL OR last_received_at < %(before)s)
ORDER BY last_received_at DESC, rejected_id DESC LIMIT %(limit)s;

-- name: lock_rejected
-- All that is kept of some messages, for all reasons; in the order of the key, like those that write it.
SELECT rejected_id, digest, reason, value_count, seen FROM rejected_message
WHERE digest = ANY (%(digests)s) ORDER BY digest FOR UPDATE;

-- name: drop_rejected
DELETE FROM rejected_message WHERE rejected_id = ANY (%(rejected_ids)s);

-- name: registered_things
SELECT thing_id FROM thing WHERE thing_id = ANY (%(thing_ids)s);
