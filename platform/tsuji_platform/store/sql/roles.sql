-- name: create_database_role
-- Who the roles of this database are: so that each migration can grant them what is new.
CREATE TABLE IF NOT EXISTS database_role (
    purpose text PRIMARY KEY,
    role_name name NOT NULL UNIQUE
);

-- name: database_roles_there
SELECT to_regclass('database_role') IS NOT NULL AS there;

-- name: database_roles
SELECT purpose, role_name FROM database_role;

-- name: note_role
INSERT INTO database_role (purpose, role_name) VALUES ({purpose}, {name})
ON CONFLICT (purpose) DO UPDATE SET role_name = excluded.role_name;

-- name: create_role
-- Without a password nobody logs in as it yet, unless pg_hba.conf says otherwise.
DO $create$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END $create$;

-- name: set_password
-- The server gets, and may log, what the password is checked with, not the password.
ALTER ROLE {role} PASSWORD {verifier};

-- name: close_database
-- Temporary tables are a way to fill the disk, and whoever may create something in our schema may put a
-- function of theirs before one of ours.
REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC;
REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;

-- name: open_database
REVOKE ALL ON DATABASE {database} FROM {role};
REVOKE ALL ON SCHEMA {schema} FROM {role};
GRANT {privileges} ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA {schema} TO {role};

-- name: revoke
-- From everybody, too: what everybody may do, so may this role.
REVOKE ALL ON TABLE {table} FROM PUBLIC, {role};

-- name: revoke_others
REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM PUBLIC, {role};
REVOKE ALL ON FUNCTION tsuji_drop_chunks FROM {role};

-- name: grant
GRANT {privileges} ON TABLE {table} TO {role};

-- name: grant_sequences
-- Those behind identity columns, which some ask for numbers in advance.
GRANT {privileges} ON ALL SEQUENCES IN SCHEMA {schema} TO {role};

-- name: make_drop_chunks
-- Only the owner of a hypertable may drop its chunks, yet who keeps history short need not own it. It drops no
-- more than that role could delete row by row.
CREATE OR REPLACE FUNCTION tsuji_drop_chunks(hypertable text, until timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp AS $drop$
BEGIN
    IF hypertable NOT IN ('observation', 'rollup_5min', 'rollup_hour') THEN
        RAISE EXCEPTION '% is no table of which history is dropped', hypertable
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY EXECUTE 'SELECT drop_chunks($1::regclass, older_than => $2)::text' USING hypertable, until;
END $drop$;
REVOKE ALL ON FUNCTION tsuji_drop_chunks FROM PUBLIC;

-- name: open_drop_chunks
GRANT EXECUTE ON FUNCTION tsuji_drop_chunks TO {role};

-- name: place
-- Where our tables are, who owns them, and where TimescaleDB's functions are; what we are may be less.
SELECT current_database() AS database, current_schema() AS schema, current_user AS me,
    pg_get_userbyid(relowner) AS owner, pg_has_role(relowner, 'USAGE') AS is_owner,
    (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())
        AS is_database_owner,
    (SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'timescaledb') AS extension_schema
FROM pg_class WHERE oid = 'migration'::regclass;

-- name: relations
-- Our tables and views.
SELECT relname AS name FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
        AND deptype = 'e')
ORDER BY relname;

-- name: role
-- What a role is beyond its rights on tables, by itself or as a member of others, and whether anybody may log
-- in as it by password.
SELECT rolname AS name, rolcanlogin AS logs_in,
    EXISTS (SELECT FROM pg_roles AS one WHERE pg_has_role(pg_roles.oid, one.oid, 'MEMBER')
        AND (one.rolsuper OR one.rolcreaterole OR one.rolcreatedb OR one.rolreplication OR one.rolbypassrls
            OR one.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
        )) AS is_mighty,
    pg_has_role(oid, %(owner)s, 'MEMBER') AS is_owner,
    has_schema_privilege(oid, current_schema()::regnamespace, 'CREATE')
        OR has_database_privilege(oid, current_database(), 'CREATE') AS creates,
    EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND CASE relkind WHEN 'S'
        THEN has_sequence_privilege(pg_roles.oid, pg_class.oid, 'USAGE, SELECT, UPDATE') ELSE false END)
        AS reads_sequences,
    coalesce(has_function_privilege(oid, to_regprocedure('tsuji_drop_chunks(text, timestamptz)'),
        'EXECUTE'), false) AS drops_history
FROM pg_roles WHERE rolname = %(name)s;

-- name: held
-- What a role may do with our tables; a right to some columns is one to the table here.
SELECT relname AS name, array_agg(privilege) AS privileges
FROM pg_class
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'])
    AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
    AND CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        THEN has_any_column_privilege(%(role)s, pg_class.oid, privilege)
        ELSE has_table_privilege(%(role)s, pg_class.oid, privilege) END
GROUP BY relname ORDER BY relname;
