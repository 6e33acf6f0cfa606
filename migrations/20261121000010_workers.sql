-- Worker processes that live: each writes its row at its start and every few seconds, and deletes it at an orderly end.
CREATE TABLE workers (
    name       text PRIMARY KEY,                    -- unique for each start of a process
    host       text NOT NULL DEFAULT '',
    version    text NOT NULL DEFAULT '',
    providers  jsonb NOT NULL DEFAULT '{}',         -- by provider: whether it can be run there, and why not
    looked_at  timestamptz NOT NULL DEFAULT now(),  -- when that was found out
    started_at timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now()
);
