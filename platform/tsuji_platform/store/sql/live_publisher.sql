-- name: limit_publisher_idleness
-- Longer than a broker waits for a client that has gone quiet: whoever is frozen for so long has lost its
-- connection there, and can't publish what is old by then.
SET idle_in_transaction_session_timeout = '60s';

-- name: lock_publisher
-- Whether nobody else publishes at this moment; until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('tsuji live publisher')) AS mine;

-- name: go_on
SELECT 1 AS alive;

-- name: published
-- What a broker has acknowledged.
SELECT published::text AS published FROM live_publisher
WHERE broker = %(broker)s AND published IS NOT NULL;

-- name: publisher
SELECT holder, broker, seen_at FROM live_publisher;

-- name: put_published
INSERT INTO live_publisher (holder, run, seen_at, broker, published)
VALUES (%(holder)s, %(run)s, now(), %(broker)s, %(published)s::pg_snapshot)
ON CONFLICT (singleton) DO UPDATE SET
    holder = excluded.holder, run = excluded.run, seen_at = now(), broker = excluded.broker,
    published = excluded.published;

-- name: withdrawn
DELETE FROM live_publisher;
