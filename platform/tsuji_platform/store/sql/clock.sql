-- name: last_stored
SELECT max(last_stored_at) AS last_stored_at FROM ingest_counter;

-- name: misjudged
-- Messages that were refused as from the future while the clock stood further back than it does now,
-- the newest first. When they really came follows from the time since the boot.
SELECT rejected_id,
    %(now)s - make_interval(secs => %(uptime_s)s - uptime_s) AS received_at
FROM rejected_message
WHERE rejected_id > %(after)s AND reason = 'future_time' AND boot_id = %(boot_id)s
    AND last_received_at
        < %(now)s - make_interval(secs => %(uptime_s)s - uptime_s) - make_interval(secs => %(tolerance_s)s)
ORDER BY uptime_s DESC, rejected_id DESC;

-- name: rejected_by_id
SELECT rejected_id, topic, payload, last_received_at FROM rejected_message
WHERE rejected_id = ANY (%(rejected_ids)s);

-- name: latest_astray
-- Datastreams whose newest observation, of those that are not ahead of the clock, is another than is
-- written down.
SELECT datastream_id FROM datastream
LEFT JOIN latest USING (datastream_id)
LEFT JOIN LATERAL (
    SELECT observation.phenomenon_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
        AND observation.phenomenon_time <= %(newest)s
    ORDER BY observation.phenomenon_time DESC LIMIT 1
) AS found ON true
WHERE found.phenomenon_time IS DISTINCT FROM latest.phenomenon_time
ORDER BY datastream_id;

-- name: lock_latest
-- In the order of the key, like those that write it: what they store from now on is compared with what
-- is found here.
SELECT datastream_id FROM latest WHERE datastream_id = ANY (%(datastream_ids)s)
ORDER BY datastream_id FOR UPDATE;

-- name: settle_latest
INSERT INTO latest (datastream_id, phenomenon_time, result, period_s, received_at)
SELECT asked.datastream_id, found.phenomenon_time, found.result, found.period_s, %(now)s
FROM unnest(%(datastream_ids)s::int4[]) AS asked (datastream_id)
CROSS JOIN LATERAL (
    SELECT phenomenon_time, result, period_s FROM observation
    WHERE observation.datastream_id = asked.datastream_id AND phenomenon_time <= %(newest)s
    ORDER BY phenomenon_time DESC LIMIT 1
) AS found
ORDER BY 1
ON CONFLICT (datastream_id) DO UPDATE SET
    phenomenon_time = excluded.phenomenon_time, result = excluded.result,
    period_s = excluded.period_s, received_at = excluded.received_at,
    revision = pg_current_xact_id()
WHERE latest.phenomenon_time < excluded.phenomenon_time OR latest.phenomenon_time > %(newest)s;

-- name: drop_latest
-- Those of which there is nothing that is not ahead of the clock.
WITH dropped AS (
    DELETE FROM latest
    WHERE datastream_id = ANY (%(datastream_ids)s) AND phenomenon_time > %(newest)s
    RETURNING datastream_id
)
UPDATE datastream SET revision = pg_current_xact_id()
FROM dropped WHERE datastream.datastream_id = dropped.datastream_id;
