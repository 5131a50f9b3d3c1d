-- name: session
SELECT filters, subscribed_at IS NOT NULL AS existed FROM ingest_session WHERE ingest_id = %(ingest_id)s;

-- name: widen_session
-- Before subscribing: whatever happens next, no subscription is unknown.
INSERT INTO ingest_session AS s (ingest_id, filters) VALUES (%(ingest_id)s, %(filters)s::text[])
ON CONFLICT (ingest_id) DO UPDATE SET
    filters = ARRAY(SELECT DISTINCT unnest(s.filters || excluded.filters) ORDER BY 1);

-- name: settle_session
INSERT INTO ingest_session (ingest_id, filters, subscribed_at) VALUES (%(ingest_id)s, %(filters)s::text[], now())
ON CONFLICT (ingest_id) DO UPDATE SET filters = excluded.filters, subscribed_at = excluded.subscribed_at;

-- name: forget_session
DELETE FROM ingest_session WHERE ingest_id = %(ingest_id)s;

-- name: expect_no_more
-- One that has left is not missed.
UPDATE ingest_counter SET seen_at = NULL, waiting = 0, lag_s = NULL WHERE ingest_id = %(ingest_id)s;
