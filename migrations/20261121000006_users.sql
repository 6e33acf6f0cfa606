-- Who may come in besides `admin`, whose key is a setting. A key is kept in exactly one of three ways:
-- a generated one as HMAC under the pepper; one that a person chose as argon2id, found by 12 bits of its HMAC; one that came
-- from docsfy as docsfy kept it, until it is first used.
CREATE TABLE users (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username        text NOT NULL UNIQUE CHECK (lower(username) <> 'admin'),
    role            text NOT NULL CHECK (role IN ('admin', 'user', 'viewer')),
    key_hash        bytea UNIQUE,
    key_tag         smallint,
    key_verifier    text,                        -- a PHC string
    docsfy_key_hash bytea UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nonnulls(key_hash, key_verifier, docsfy_key_hash) = 1),
    CHECK ((key_tag IS NULL) = (key_verifier IS NULL))
);
CREATE INDEX users_chosen_keys ON users (key_tag) WHERE key_verifier IS NOT NULL;

-- The admin keys under which docsfy hashed keys, sealed with the pepper.
CREATE TABLE docsfy_key_secrets (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint text NOT NULL UNIQUE,            -- HMAC under the pepper, so that a second import adds nothing
    sealed      bytea NOT NULL
);

-- Who may read all variants of a project of somebody else.
CREATE TABLE project_access (
    owner      text NOT NULL,
    name       text NOT NULL,
    username   text NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, name, username)
);
CREATE INDEX project_access_by_user ON project_access (username);

-- Tries to log in that are left, by subject. Losing them in a crash costs nothing, so they are not logged.
CREATE UNLOGGED TABLE login_tries (
    subject     text PRIMARY KEY,                -- a hash: of a user name, an address, or both
    tries       double precision NOT NULL,       -- left at `refilled_at`
    refilled_at timestamptz NOT NULL
);

-- What admins set by the API; environment variables win.
CREATE TABLE settings (
    key        text PRIMARY KEY,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
