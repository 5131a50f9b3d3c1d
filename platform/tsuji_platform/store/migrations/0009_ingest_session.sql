-- What each ingest has subscribed to under its id: the broker keeps subscriptions with the session and
-- names them to nobody, so that those of before a change could not be ended.

CREATE TABLE ingest_session (
    ingest_id text PRIMARY KEY,
    filters text[] NOT NULL,
    subscribed_at timestamptz
);
COMMENT ON TABLE ingest_session IS 'the sessions that the broker keeps for ingests';
COMMENT ON COLUMN ingest_session.filters IS
    'what the session may subscribe to: written before subscribing, narrowed once the others are ended';
COMMENT ON COLUMN ingest_session.subscribed_at IS
    'when the broker last had a session that subscribes; NULL where it never had';

INSERT INTO ingest_session (ingest_id, filters, subscribed_at)
SELECT ingest_id, '{}', seen_at FROM ingest_counter WHERE seen_at IS NOT NULL;
