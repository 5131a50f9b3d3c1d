-- What each ingest holds and how it fares, beside what it has done; and a number that says when what
-- is known of things has changed.

ALTER TABLE ingest_counter
    ADD COLUMN waiting bigint NOT NULL DEFAULT 0,
    ADD COLUMN lag_s float8,
    ADD COLUMN seen_at timestamptz;
COMMENT ON COLUMN ingest_counter.waiting IS
    'values that were received and not committed when this row was written';
COMMENT ON COLUMN ingest_counter.lag_s IS
    'from arrival to commit, seconds: 95 % of the last minute''s messages were quicker';
COMMENT ON COLUMN ingest_counter.seen_at IS 'when this ingest last wrote this row';

ALTER TABLE ingest_counter ADD CONSTRAINT ingest_counter_balanced
    CHECK (received = stored + duplicate + corrected + rejected);

CREATE TABLE registry (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL
);
COMMENT ON TABLE registry IS
    'at most one row, counted up whenever things or datastreams change: what was looked up before is looked up again';
