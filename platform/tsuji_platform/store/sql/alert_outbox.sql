-- name: lock_target
-- Whether nobody else speaks to this target at this moment; until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('tsuji alert target'), hashtext(%(target)s)) AS mine;

-- name: limit_courier_idleness
-- Longer than a request can take with all that looking up a name and trying its addresses may need:
-- otherwise what went wrong could not be noted, and nobody would wait before the next attempt.
SET idle_in_transaction_session_timeout = '5min';

-- name: due
-- The oldest messages that a target has not got. The first says when to try: later ones wait behind it.
SELECT message_no, message_id, alert_id, ends, body, attempts, created_at, next_at <= now() AS is_due
FROM alert_delivery JOIN alert_message USING (message_no)
WHERE target = %(target)s AND delivered_at IS NULL AND given_up_at IS NULL
ORDER BY message_no LIMIT %(limit)s;

-- name: delivered
UPDATE alert_delivery SET delivered_at = now(), attempts = attempts + 1, problem = ''
WHERE target = %(target)s AND message_no = ANY (%(message_nos)s);

-- name: postponed
UPDATE alert_delivery SET attempts = attempts + 1, problem = %(problem)s,
    next_at = now() + make_interval(secs => %(after_s)s),
    given_up_at = CASE WHEN %(give_up)s THEN now() END
WHERE target = %(target)s AND message_no = %(message_no)s;

-- name: say_again
-- A broker that was away may have forgotten what it keeps for newcomers, and what came just before.
UPDATE alert_delivery SET delivered_at = NULL, next_at = now()
FROM alert_message JOIN alert USING (alert_id)
WHERE alert_delivery.message_no = alert_message.message_no AND target = %(target)s
    AND (delivered_at > now() - %(lately)s::interval OR (ended_at IS NULL AND delivered_at IS NOT NULL));

-- name: forget_targets
-- Nobody waits any more for what was to go to targets that are no longer named.
UPDATE alert_delivery SET given_up_at = now(), problem = 'no longer named in the settings'
WHERE delivered_at IS NULL AND given_up_at IS NULL AND target <> ALL (%(targets)s);

-- name: outbox
-- One pass over all deliveries, and what waits by its index: `/v1/health` asks for it all the time.
WITH told AS (
    SELECT target, count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up,
        max(delivered_at) AS delivered_at
    FROM alert_delivery GROUP BY target
)
SELECT told.target, waits.waiting, told.given_up, waits.oldest_at, told.delivered_at,
    coalesce(waits.problem, '') AS problem
FROM told CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(created_at) AS oldest_at,
        (array_agg(problem ORDER BY message_no) FILTER (WHERE problem <> ''))[1] AS problem
    FROM alert_delivery JOIN alert_message USING (message_no)
    WHERE alert_delivery.target = told.target AND delivered_at IS NULL AND given_up_at IS NULL
) AS waits
ORDER BY told.target;

-- name: newest_message
SELECT coalesce(max(message_no), 0)::bigint AS message_no FROM alert_message;

-- name: messages_after
SELECT message_no, body FROM alert_message WHERE message_no > %(after)s ORDER BY message_no LIMIT 1000;

-- name: messages_on
-- What was said when the alerts began that are on.
SELECT body FROM alert_message JOIN alert USING (alert_id)
WHERE ended_at IS NULL AND NOT ends ORDER BY message_no;

-- name: alerts
-- One page of alerts, the newest first; the peak of one that is on is that of its state.
SELECT alert.*, coalesce(alert_state.peak, alert.peak) AS peak_now,
    coalesce(alert_state.peak_at, alert.peak_at) AS peak_at_now,
    alert_state.value, alert_state.seen, alert_state.phase
FROM alert
LEFT JOIN alert_state ON alert_state.alert_id = alert.alert_id AND alert.ended_at IS NULL
WHERE (%(alert_id)s::text IS NULL OR alert.alert_id = %(alert_id)s)
    AND (%(on)s::boolean IS NULL OR (ended_at IS NULL) = %(on)s)
    AND (%(rule_id)s::text IS NULL OR alert.rule_id = %(rule_id)s)
    AND (%(thing_id)s::text IS NULL OR alert.thing_id = %(thing_id)s)
    AND (%(area_set_id)s::text IS NULL
        OR (alert.area_set_id = %(area_set_id)s
            AND (%(area_code)s::text IS NULL OR alert.area_code = %(area_code)s))
        OR alert.thing_id IN (
            SELECT area_thing.thing_id FROM area JOIN area_thing USING (area_id)
            WHERE area.area_set_id = %(area_set_id)s
                AND (%(area_code)s::text IS NULL OR area.code = %(area_code)s)))
    AND (%(start)s::timestamptz IS NULL OR ended_at IS NULL OR ended_at >= %(start)s)
    AND (%(end)s::timestamptz IS NULL OR started_at <= %(end)s)
    AND (%(after_time)s::timestamptz IS NULL
        OR (started_at, alert_no) < (%(after_time)s, %(after_no)s))
ORDER BY started_at DESC, alert_no DESC
LIMIT %(limit)s;

-- name: alerts_on
SELECT count(*) AS alerts FROM alert WHERE ended_at IS NULL;
