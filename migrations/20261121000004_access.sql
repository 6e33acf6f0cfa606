-- Facts about this installation that all its processes must agree on, such as the fingerprint of the key pepper.
CREATE TABLE installation (
    key   text PRIMARY KEY,
    value text NOT NULL
);

-- Browser sessions; only a hash of the token is kept.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    username   text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (username);

-- Links that log somebody in once.
CREATE TABLE login_links (
    token_hash bytea PRIMARY KEY,
    username   text NOT NULL,
    expires_at timestamptz NOT NULL
);
