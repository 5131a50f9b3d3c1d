-- Alerts: what has begun and ended, what has to be remembered between, and what is still to be said of it.

CREATE TABLE alert_evaluator (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    holder text NOT NULL,
    run text NOT NULL,
    seen_at timestamptz NOT NULL,
    judged_until timestamptz,
    problem text NOT NULL DEFAULT ''
);
COMMENT ON TABLE alert_evaluator IS 'at most one row: who evaluates the rules, and how far that has come';
COMMENT ON COLUMN alert_evaluator.run IS 'one run of the holder: a new one reads all states again';
COMMENT ON COLUMN alert_evaluator.problem IS 'what an operator has to mend, empty where nothing';

CREATE TABLE alert_rule (
    rule_id text PRIMARY KEY,
    place int4 NOT NULL,
    digest text NOT NULL,
    document jsonb NOT NULL,
    problem text NOT NULL DEFAULT ''
);
COMMENT ON TABLE alert_rule IS 'the rules in force, as the evaluator read them from its file';

CREATE TABLE alert (
    alert_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id text NOT NULL UNIQUE,
    rule_id text NOT NULL,
    subject text NOT NULL,
    thing_id text,
    area_set_id text,
    area_code text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    peak float8 NOT NULL,
    peak_at timestamptz NOT NULL,
    document jsonb NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((thing_id IS NULL) = (area_set_id IS NOT NULL AND area_code IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE UNIQUE INDEX alert_on ON alert (rule_id, subject) WHERE ended_at IS NULL;
CREATE INDEX alert_newest ON alert (started_at DESC, alert_no DESC);
COMMENT ON COLUMN alert.document IS 'the rule as it was when the alert began';
COMMENT ON INDEX alert_on IS 'one alert at a time of a rule and its subject';

CREATE TABLE alert_state (
    rule_id text NOT NULL,
    subject text NOT NULL,
    alert_id text REFERENCES alert (alert_id),
    phase text NOT NULL,
    seen timestamptz,
    value float8,
    start timestamptz,
    peak float8,
    peak_at timestamptz,
    clear_since timestamptz,
    PRIMARY KEY (rule_id, subject),
    CHECK ((alert_id IS NOT NULL) = (phase IN ('on', 'clearing')))
) WITH (fillfactor = 70);
COMMENT ON TABLE alert_state IS
    'written with what begins and ends; what is newer is found again from the observations after a crash';

CREATE TABLE alert_message (
    message_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id text NOT NULL UNIQUE,
    alert_id text NOT NULL REFERENCES alert (alert_id),
    ends boolean NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE alert_message IS 'what is said of alerts, written in the transaction of the alert itself';

CREATE TABLE alert_delivery (
    target text NOT NULL,
    message_no bigint NOT NULL REFERENCES alert_message ON DELETE CASCADE,
    attempts int4 NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    given_up_at timestamptz,
    problem text NOT NULL DEFAULT '',
    PRIMARY KEY (target, message_no)
);
CREATE INDEX alert_delivery_waiting ON alert_delivery (target, message_no)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;
COMMENT ON TABLE alert_delivery IS 'who still has to be told what, in the order of the messages';
