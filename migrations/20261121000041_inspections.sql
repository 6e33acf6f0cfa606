-- Questions about a site that the API asks workers: how far it is behind (`check`), what a run would do (`dry_run`). They hold
-- nothing of the variant, and go some days after they were answered.
CREATE TABLE inspections (
    id           uuid PRIMARY KEY,
    variant_id   bigint REFERENCES variants ON DELETE CASCADE, -- null: a run of a variant that there is not yet
    requested_by text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('check', 'dry_run')),
    request      jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
    fence        bigint NOT NULL DEFAULT 0,     -- raised by every claim, as with generations
    lease_until  timestamptz,
    result       jsonb,                         -- of one that is done
    message      text,                          -- why one failed
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
);
CREATE INDEX inspections_open ON inspections (created_at) WHERE state IN ('queued', 'running');
CREATE INDEX inspections_finished ON inspections (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX inspections_variant ON inspections (variant_id);

-- What the newest check of the served site said; null when nobody checked it.
ALTER TABLE variants
    ADD COLUMN checked_at     timestamptz,
    ADD COLUMN checked_commit text,             -- the head of the branch at that time
    ADD COLUMN behind_commits integer,          -- null: not known how many
    ADD COLUMN stale_sections integer;
