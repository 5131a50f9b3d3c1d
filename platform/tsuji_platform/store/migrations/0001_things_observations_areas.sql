-- Things, their datastreams, every observation, and the areas that things stand in.

CREATE TABLE thing (
    thing_id text PRIMARY KEY,
    name text NOT NULL,
    name_en text NOT NULL DEFAULT '',
    kind text NOT NULL,
    longitude float8 NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    latitude float8 NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    effective_width_m float8,
    capacity bigint,
    owner text NOT NULL DEFAULT '',
    registered_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE datastream (
    datastream_id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thing_id text NOT NULL REFERENCES thing,
    observed_property text NOT NULL,
    declared boolean NOT NULL DEFAULT true,
    UNIQUE (thing_id, observed_property)
);
COMMENT ON COLUMN datastream.declared IS 'false once the thing no longer lists it; its history stays';

-- datastream_id and period_s share eight bytes, so that the period costs no room.
CREATE TABLE observation (
    datastream_id int4 NOT NULL,
    period_s int4,
    phenomenon_time timestamptz NOT NULL,
    result float8 NOT NULL,
    CONSTRAINT observation_key PRIMARY KEY (datastream_id, phenomenon_time)
);
COMMENT ON COLUMN observation.period_s IS 'for counts: the seconds covered, ending at phenomenon_time';

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('observation', 'phenomenon_time',
            chunk_time_interval => interval '7 days', create_default_indexes => false);
    ELSE
        CREATE INDEX observation_time ON observation USING brin (phenomenon_time);
    END IF;
END $$;

CREATE TABLE latest (
    datastream_id int4 PRIMARY KEY REFERENCES datastream,
    phenomenon_time timestamptz NOT NULL,
    result float8 NOT NULL,
    period_s int4,
    received_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE rejected_message (
    rejected_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    topic text NOT NULL,
    payload bytea NOT NULL,
    thing_id text,
    reason text NOT NULL,
    detail text NOT NULL,
    observed_properties text[] NOT NULL DEFAULT '{}',
    value_count bigint NOT NULL,
    seen bigint NOT NULL DEFAULT 1,
    first_received_at timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL
);
CREATE INDEX rejected_message_newest ON rejected_message (last_received_at DESC, rejected_id DESC);
CREATE INDEX rejected_message_healable ON rejected_message (thing_id)
    WHERE reason IN ('unregistered_thing', 'undeclared_datastream');
COMMENT ON COLUMN rejected_message.digest IS
    'SHA-256 of topic, reason and payload: the same refused message again counts, it is not kept twice';
COMMENT ON COLUMN rejected_message.observed_properties IS
    'for undeclared datastreams: which values a retry still has to bring in';

CREATE TABLE ingest_counter (
    ingest_id text PRIMARY KEY,
    messages bigint NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    corrected bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    last_stored_at timestamptz
);
COMMENT ON TABLE ingest_counter IS
    'written with the rows that it counts: received = stored + duplicate + corrected + rejected';

CREATE TABLE area_set (
    area_set_id text PRIMARY KEY,
    name text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('municipality', 'mesh', 'polygon')),
    source text NOT NULL DEFAULT '',
    licence text NOT NULL DEFAULT '',
    imported_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE area (
    area_id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    area_set_id text NOT NULL REFERENCES area_set ON DELETE CASCADE,
    code text NOT NULL,
    name text NOT NULL,
    name_en text NOT NULL DEFAULT '',
    west float8 NOT NULL,
    south float8 NOT NULL,
    east float8 NOT NULL,
    north float8 NOT NULL,
    geometry jsonb NOT NULL,
    display_geometry jsonb NOT NULL,
    UNIQUE (area_set_id, code)
);

CREATE TABLE area_thing (
    area_id int4 NOT NULL REFERENCES area ON DELETE CASCADE,
    thing_id text NOT NULL REFERENCES thing ON DELETE CASCADE,
    PRIMARY KEY (area_id, thing_id)
);
CREATE INDEX area_thing_thing ON area_thing (thing_id);
COMMENT ON TABLE area_thing IS 'computed when things or areas change';
