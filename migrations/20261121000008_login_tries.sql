-- Tries to log in, now as one moment per subject: each try that is taken moves it on, and time comes after it. Losing them in a
-- crash costs nothing, so they are not logged.
DROP TABLE login_tries;
CREATE UNLOGGED TABLE login_tries (
    subject bytea PRIMARY KEY,                   -- HMAC under the pepper: of a user name, an address, or both
    full_at timestamptz NOT NULL                 -- when all tries are there again
);

-- A session begins only while the key that was checked for it is still the user's.
-- Every key that anybody is given has another version.
CREATE SEQUENCE key_versions;
ALTER TABLE users ADD COLUMN key_version bigint NOT NULL DEFAULT nextval('key_versions');
