-- Days by their quarter hours, from which typical values are taken.

CREATE TABLE rollup_profile (
    datastream_id int4 NOT NULL,
    day date NOT NULL,
    totals float8[] NOT NULL,
    weights int4[] NOT NULL,
    CONSTRAINT rollup_profile_key PRIMARY KEY (datastream_id, day)
);
COMMENT ON TABLE rollup_profile IS
    'one row a datastream and finished Tokyo day that has observations; 96 quarter hours, each including its end';
COMMENT ON COLUMN rollup_profile.totals IS
    'sums, or maxima of what aggregates so; null where there was no observation';
COMMENT ON COLUMN rollup_profile.weights IS
    'for counts: the seconds that they cover; otherwise the number of observations';

CREATE TABLE stale_profile (
    datastream_id int4 NOT NULL,
    day date NOT NULL,
    CONSTRAINT stale_profile_key PRIMARY KEY (day, datastream_id)
);
COMMENT ON TABLE stale_profile IS
    'rollup_profile need not equal the observations on these days: today, and past days until they are made anew';

INSERT INTO stale_profile (datastream_id, day)
SELECT datastream_id, (bucket_end AT TIME ZONE interval '9 hours')::date - 1
FROM rollup_day JOIN datastream USING (datastream_id)
WHERE observed_property NOT IN ('wind_from_direction', 'rainfall');
