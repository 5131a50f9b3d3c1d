-- name: add_key
-- A new key.
INSERT INTO api_key (key_id, name, digest, scopes, rate_per_minute, expires_at)
VALUES (%(key_id)s, %(name)s, %(digest)s, %(scopes)s, %(rate_per_minute)s, %(expires_at)s)
RETURNING key_id;

-- name: key
-- One key, whether it still opens anything or not.
SELECT key_id, name, digest, scopes, rate_per_minute, created_at, expires_at, revoked_at
FROM api_key WHERE key_id = %(key_id)s;

-- name: keys
-- All keys, the newest first.
SELECT key_id, name, digest, scopes, rate_per_minute, created_at, expires_at, revoked_at
FROM api_key ORDER BY created_at DESC, key_id;

-- name: revoke_key
-- From now on it opens nothing; the time of the first revocation stays.
UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %(key_id)s
RETURNING key_id;

-- name: take
-- Some of what a subject may still ask for in its minute, which begins anew once it is over. What is
-- left is handed out in ever smaller parts, so that little of it lies unused with a worker at the end.
INSERT INTO allowance AS a (subject, began_at, used, granted)
SELECT %(subject)s, now(), part, part
FROM (SELECT least(%(wanted)s, greatest(1, %(quota)s / 8), %(quota)s) AS part) AS share
ON CONFLICT (subject) DO UPDATE SET
    (began_at, used, granted) = (
        SELECT
            CASE WHEN over THEN now() ELSE a.began_at END,
            before + part,
            part
        FROM (
            SELECT
                over,
                before,
                greatest(0, least(
                    %(wanted)s, greatest(1, (%(quota)s - before) / 8), %(quota)s - before
                )) AS part
            FROM (
                SELECT
                    a.began_at <= now() - %(window)s AS over,
                    CASE WHEN a.began_at <= now() - %(window)s THEN 0 ELSE a.used END AS before
            ) AS minute
        ) AS share
    )
RETURNING granted, greatest(%(quota)s - used, 0) AS remaining,
    greatest(extract(epoch FROM began_at + %(window)s - now()), 0)::float8 AS resets_in_s;

-- name: forget_allowances
-- Minutes that are over, some at a time. A row that is being renewed is left alone: were it deleted as it
-- was found, what its new minute has handed out would be handed out again.
WITH old AS MATERIALIZED (
    SELECT subject FROM allowance WHERE began_at < now() - 2 * %(window)s::interval
    LIMIT %(at_once)s FOR UPDATE SKIP LOCKED
)
DELETE FROM allowance USING old WHERE allowance.subject = old.subject;

-- name: key_ids
-- Of keys that may open something.
SELECT key_id FROM api_key WHERE revoked_at IS NULL;
