-- Keys of the data API, and what callers have used of their allowance.

CREATE TABLE api_key (
    key_id text PRIMARY KEY CHECK (key_id ~ '^[0-9a-z]{10}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    scopes text[] NOT NULL,
    rate_per_minute int4 CHECK (rate_per_minute > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
COMMENT ON TABLE api_key IS 'keys of the data API; the secrets themselves are kept nowhere';
COMMENT ON COLUMN api_key.digest IS 'SHA-256 of the secret, which is random and long: nothing to guess';
COMMENT ON COLUMN api_key.scopes IS 'what it opens beyond public reading';
COMMENT ON COLUMN api_key.rate_per_minute IS 'requests per minute; NULL for no limit';

CREATE UNLOGGED TABLE allowance (
    subject text PRIMARY KEY,
    began_at timestamptz NOT NULL,
    used int8 NOT NULL,
    granted int8 NOT NULL
);
COMMENT ON TABLE allowance IS
    'requests of the minute that runs, by key or address, over all workers; forgotten in a crash';
COMMENT ON COLUMN allowance.began_at IS 'when the minute began';
COMMENT ON COLUMN allowance.granted IS 'by the last statement';
