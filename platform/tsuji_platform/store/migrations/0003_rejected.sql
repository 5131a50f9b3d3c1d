-- Rejected messages by thing and reason without reading payloads, what was forgotten of them, and when
-- they came by a clock that nobody sets.

DROP INDEX rejected_message_healable;
CREATE INDEX rejected_message_by_thing ON rejected_message (thing_id, reason, last_received_at)
    INCLUDE (value_count);
CREATE INDEX rejected_message_undeclared
    ON rejected_message (thing_id, observed_properties, last_received_at)
    WHERE reason = 'undeclared_datastream';

ALTER TABLE rejected_message
    ADD COLUMN boot_id text,
    ADD COLUMN uptime_s float8,
    -- a flood is forgotten as fast as it comes: its room must come free as fast, too
    SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_vacuum_cost_delay = 0);
COMMENT ON COLUMN rejected_message.boot_id IS
    'which boot of which machine uptime_s belongs to';
COMMENT ON COLUMN rejected_message.uptime_s IS
    'when it last came, seconds since that boot: tells when that was even if last_received_at was '
    'taken from a clock that was wrong';

ALTER TABLE ingest_counter
    ADD COLUMN forgotten_messages bigint NOT NULL DEFAULT 0,
    ADD COLUMN forgotten_values bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ingest_counter.forgotten_values IS
    'of those counted as rejected: how many are kept no longer, since they were too old or too many';
