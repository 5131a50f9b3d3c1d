-- What observations add up to, by five minutes, hour and Tokyo day; and where that has to be done anew.

CREATE TABLE changed (
    members int8 NOT NULL,
    datastream_block int4 NOT NULL,
    first_bucket int4 NOT NULL,
    last_bucket int4 NOT NULL,
    late boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
CREATE INDEX changed_block ON changed (late, datastream_block);
COMMENT ON TABLE changed IS
    'written with the observations: the rollups of these buckets need not equal them any more';
COMMENT ON COLUMN changed.members IS
    'bit i stands for datastream_id = datastream_block * 32 + i: what comes together is one row';
COMMENT ON COLUMN changed.first_bucket IS
    'buckets of five minutes are numbered by their ends: n ends n * 300 s after 1970-01-01T00:00Z';
COMMENT ON COLUMN changed.late IS 'long past when it was written, so that it may wait for what is new';

-- A writer of an older version that still runs would write without the log, and its rollups would stay
-- wrong for ever. To it the database can't serve now, so that it keeps what it has until it is replaced.
-- The trigger also waits for what it has under way, which is then there to be logged below.
CREATE FUNCTION refuse_older_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is of an older version than the database: replace it',
        current_setting('application_name') USING ERRCODE = 'cannot_connect_now';
END $$;
CREATE TRIGGER refuse_older_writer BEFORE INSERT ON observation FOR EACH STATEMENT
    WHEN (current_setting('application_name') LIKE 'tsuji%'
        AND current_setting('tsuji.logs_changes', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION refuse_older_writer();

CREATE TABLE rollup_5min (
    datastream_id int4 NOT NULL,
    n int4 NOT NULL,
    bucket_end timestamptz NOT NULL,
    total float8 NOT NULL,
    lowest float8 NOT NULL,
    highest float8 NOT NULL,
    sine float8,
    cosine float8,
    covered_s int8,
    shortest_s int4,
    longest_s int4,
    CONSTRAINT rollup_5min_key PRIMARY KEY (datastream_id, bucket_end)
) WITH (fillfactor = 80);
COMMENT ON TABLE rollup_5min IS 'observations with bucket_end - 5 minutes < phenomenon_time <= bucket_end';
COMMENT ON COLUMN rollup_5min.sine IS 'for directions: the sum of the sines';
COMMENT ON COLUMN rollup_5min.covered_s IS 'for counts: the sum of the seconds that they cover';
COMMENT ON COLUMN rollup_5min.shortest_s IS
    'for counts: the shortest of their periods, 0 where one of them has none';

CREATE TABLE rollup_hour (
    LIKE rollup_5min INCLUDING COMMENTS,
    CONSTRAINT rollup_hour_key PRIMARY KEY (datastream_id, bucket_end)
) WITH (fillfactor = 50);
COMMENT ON TABLE rollup_hour IS 'five-minute buckets with bucket_end - 1 hour < their end <= bucket_end';

CREATE TABLE rollup_day (
    LIKE rollup_5min INCLUDING COMMENTS,
    CONSTRAINT rollup_day_key PRIMARY KEY (datastream_id, bucket_end)
) WITH (fillfactor = 50);
COMMENT ON TABLE rollup_day IS 'hours of one day in Tokyo (UTC+9, no clock changes), which ends with bucket_end';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('rollup_5min', 'bucket_end',
            chunk_time_interval => interval '30 days', create_default_indexes => false);
        PERFORM create_hypertable('rollup_hour', 'bucket_end',
            chunk_time_interval => interval '360 days', create_default_indexes => false);
    END IF;
END $$;

-- What is there already is rolled up bit by bit, by whoever refreshes; until then it is read as before.
INSERT INTO changed (members, datastream_block, first_bucket, last_bucket, late)
SELECT 1::int8 << (datastream_id & 31), datastream_id >> 5,
    ceil(extract(epoch FROM first_time) / 300)::int4, ceil(extract(epoch FROM last_time) / 300)::int4,
    true
FROM datastream
CROSS JOIN LATERAL (
    SELECT min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time FROM observation
    WHERE observation.datastream_id = datastream.datastream_id
) AS held
WHERE first_time IS NOT NULL;
