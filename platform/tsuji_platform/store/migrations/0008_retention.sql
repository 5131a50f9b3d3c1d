-- How far back observations and rollups are kept, and which sums can't be made anew since.

CREATE TABLE horizon (
    width_s int4 PRIMARY KEY,
    since timestamptz NOT NULL,
    drops int4 NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now(),
    late_since timestamptz,
    late_last timestamptz,
    too_late bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE horizon IS
    'written in the transaction that drops; what has no row here is kept for ever';
COMMENT ON COLUMN horizon.width_s IS
    '0: observations; 300, 3600: the rollups of that width. Those of a day are kept for ever';
COMMENT ON COLUMN horizon.since IS 'what ended then or earlier is no longer kept';
COMMENT ON COLUMN horizon.drops IS 'how often something was dropped';
COMMENT ON COLUMN horizon.late_since IS
    'since when there is something again that ended before `since`; null where there is nothing';
COMMENT ON COLUMN horizon.late_last IS 'when the last of it came';
COMMENT ON COLUMN horizon.too_late IS
    'observations that came when those of their time were no longer kept, and are in no rollup';

ALTER TABLE rollup_5min ADD COLUMN drops int4;
ALTER TABLE rollup_hour ADD COLUMN drops int4;
ALTER TABLE rollup_day ADD COLUMN drops int4;
COMMENT ON COLUMN rollup_5min.drops IS
    'made of what came after its time was dropped: horizon.drops of what it is made of, at that time';
COMMENT ON COLUMN rollup_hour.drops IS 'see rollup_5min';
COMMENT ON COLUMN rollup_day.drops IS 'see rollup_5min';
