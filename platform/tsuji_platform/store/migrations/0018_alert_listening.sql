-- After a time in which nobody evaluated, things are not silent for having been silent then.

ALTER TABLE alert_evaluator ADD COLUMN listening_since timestamptz;
COMMENT ON COLUMN alert_evaluator.listening_since IS
    'since when the hub has been evaluating without a break: no silence is counted from before';
