-- The work on one page: written or revised by any worker of any host. Slim rows of their own, because they change often and
-- the text of a page is large.
CREATE TABLE page_jobs (
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    slug          text NOT NULL,
    position      integer NOT NULL,
    provider      text NOT NULL,
    state         text NOT NULL DEFAULT 'waiting'
                  CHECK (state IN ('waiting', 'admitted', 'running', 'done', 'failed')),
    findings      jsonb,                       -- what was wrong with the text there is; null when it is written anew
    due_at        timestamptz NOT NULL DEFAULT now(),
    -- who works on it; every write names the fence
    fence         bigint NOT NULL DEFAULT 0,
    worker        text,
    lease_until   timestamptz,
    tries         integer NOT NULL DEFAULT 0,  -- calls that failed
    deaths        integer NOT NULL DEFAULT 0,  -- workers that died at it
    -- why it failed
    failure       text,
    concerns_all  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (generation_id, slug)
);
CREATE INDEX page_jobs_waiting ON page_jobs (due_at) WHERE state = 'waiting';
CREATE INDEX page_jobs_in_flight ON page_jobs (provider, generation_id) WHERE state IN ('admitted', 'running');
CREATE INDEX page_jobs_leases ON page_jobs (lease_until) WHERE state = 'running';

-- How many pages of the run may be in flight, and how urgent they are.
ALTER TABLE generations
    ADD COLUMN page_window integer NOT NULL DEFAULT 10,
    ADD COLUMN priority    integer NOT NULL DEFAULT 0;

-- Nothing new starts before `until`: a provider that said "too many requests", or an admin. The provider '' means all.
CREATE TABLE pauses (
    provider text NOT NULL,
    reason   text NOT NULL CHECK (reason IN ('rate_limit', 'admin')),
    until    timestamptz,                      -- null: until an admin says otherwise
    message  text NOT NULL DEFAULT '',
    PRIMARY KEY (provider, reason)
);

-- AI command lines that a worker runs at the same time.
ALTER TABLE workers ADD COLUMN ai_slots integer NOT NULL DEFAULT 0;
