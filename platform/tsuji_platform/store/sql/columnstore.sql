-- name: compressed_after
-- After how long chunks of observations go to the columnstore; no row where they don't.
SELECT (config ->> 'compress_after')::interval AS after FROM timescaledb_information.jobs
WHERE proc_name = 'policy_compression' AND hypertable_name = 'observation';

-- name: enable
-- By the columns of the key: one datastream's values lie together, in the order of their time.
ALTER TABLE observation SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'datastream_id', timescaledb.orderby = 'phenomenon_time DESC');

-- name: remove_policy
CALL remove_columnstore_policy('observation'::regclass, if_exists => true);

-- name: add_policy
CALL add_columnstore_policy('observation'::regclass, after => %(after)s::interval);
