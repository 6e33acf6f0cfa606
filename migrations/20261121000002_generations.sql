-- One attempt to make a variant's site. This row is the truth; the queue only rings the bell.
CREATE TABLE generations (
    id                  uuid PRIMARY KEY,
    variant_id          bigint NOT NULL REFERENCES variants ON DELETE CASCADE,
    state               text NOT NULL DEFAULT 'queued'
                        CHECK (state IN ('queued', 'running', 'ready', 'error', 'aborted')),
    -- the request
    requested_by        text NOT NULL,
    force               boolean NOT NULL DEFAULT false,
    repo_type           text,
    call_timeout_min    integer NOT NULL CHECK (call_timeout_min > 0),
    -- who works on it: every write of a worker names its fence, so a worker that lost its lease writes nothing
    fence               bigint NOT NULL DEFAULT 0,
    worker              text,
    lease_until         timestamptz,
    cancel_requested_at timestamptz,
    crash_count         integer NOT NULL DEFAULT 0, -- deaths since the last checkpoint (decisions.md 5)
    -- how far it is
    stage               text,
    commit_sha          text,
    error_message       text,
    cost_usd            double precision,
    site_prefix         text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz
);
-- one active attempt per variant: the second POST loses here
CREATE UNIQUE INDEX generations_one_active ON generations (variant_id) WHERE state IN ('queued', 'running');
CREATE INDEX generations_by_variant ON generations (variant_id, created_at DESC);
CREATE INDEX generations_leases ON generations (lease_until) WHERE state = 'running';
CREATE INDEX generations_queued ON generations (created_at) WHERE state = 'queued';

-- What a finished stage handed to the next one; a resumed run reads it instead of doing the stage again.
CREATE TABLE checkpoints (
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    stage         text NOT NULL,
    result        jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation_id, stage)
);

-- One page of a generation: its checkpoint, and what a later run at the same inputs reuses (decisions.md 9).
CREATE TABLE pages (
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    slug          text NOT NULL,
    position      integer NOT NULL,
    input_hash    text NOT NULL,               -- plan entry, prompt, provider, model, version of the writer
    markdown      text,                        -- null until written
    checked       boolean NOT NULL DEFAULT false, -- the validating stage is satisfied
    attempts      integer NOT NULL DEFAULT 0,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation_id, slug)
);
