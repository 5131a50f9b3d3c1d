-- When the hub was backed up, so that whoever looks after it learns when that stops.

CREATE TABLE backup_run (
    backup_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started timestamptz NOT NULL,
    ended timestamptz NOT NULL DEFAULT now(),
    bytes bigint NOT NULL CHECK (bytes >= 0),
    target text NOT NULL
);
COMMENT ON TABLE backup_run IS 'backups by `tsuji backup` that were written to their end; none of those that failed';
COMMENT ON COLUMN backup_run.target IS 'the file, or - for standard output';
