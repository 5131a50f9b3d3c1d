-- Which transaction last wrote what is newest: so a reader who comes again, to any process, learns what
-- has changed since the snapshot of the database that it knows, and nothing else.

ALTER TABLE latest ADD COLUMN revision xid8 NOT NULL DEFAULT pg_current_xact_id();
COMMENT ON COLUMN latest.revision IS 'the transaction that wrote this row last';

ALTER TABLE datastream ADD COLUMN revision xid8 NOT NULL DEFAULT pg_current_xact_id();
COMMENT ON COLUMN datastream.revision IS
    'the transaction that declared it, dropped it, or took its newest observation away';

-- A writer of an older version would change what is newest and leave the revision as it was. To it the
-- database can't serve now, so that it keeps what it has until it is replaced.
CREATE TRIGGER refuse_older_writer BEFORE UPDATE ON latest FOR EACH STATEMENT
    WHEN (current_setting('application_name') LIKE 'tsuji%'
        AND current_setting('tsuji.marks_changes', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION refuse_older_writer();

CREATE TABLE live_publisher (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    holder text NOT NULL,
    run text NOT NULL,
    seen_at timestamptz NOT NULL,
    broker text NOT NULL,
    published pg_snapshot,
    topics text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE live_publisher IS
    'at most one row: who publishes the newest observations over MQTT, and what the broker has had';
COMMENT ON COLUMN live_publisher.published IS
    'what was committed by this snapshot has been acknowledged by the broker; NULL where nothing has';
COMMENT ON COLUMN live_publisher.topics IS 'retained messages that are to be taken away';
