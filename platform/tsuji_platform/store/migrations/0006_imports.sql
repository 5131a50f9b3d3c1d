-- How far each imported file has come, so that an import that ended early goes on where it was.

CREATE TABLE import_progress (
    import_id text PRIMARY KEY,
    source text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    rows_done bigint NOT NULL DEFAULT 0,
    lines_done bigint NOT NULL DEFAULT 0,
    bytes_done bigint NOT NULL DEFAULT 0,
    stored bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    corrected bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    kept bigint NOT NULL DEFAULT 0,
    first_time timestamptz,
    last_time timestamptz,
    reasons jsonb NOT NULL DEFAULT '{}',
    rejected_file text NOT NULL,
    rejected_bytes bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE import_progress IS 'written with the observations, in one transaction';
COMMENT ON COLUMN import_progress.import_id IS
    'SHA-256 of the file and of how it is read: another file, or another way to read it, is another import';
COMMENT ON COLUMN import_progress.kept IS
    'of the duplicates: values that differ from what is there, which was left';
COMMENT ON COLUMN import_progress.rejected_bytes IS
    'what of the file of rejected rows belongs to the rows done; more is cut off before the import goes on';
