-- What one owner's project looks like from one branch, written by one model.
CREATE TABLE variants (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner           text NOT NULL,               -- user name; empty for ownerless rows of docsfy
    name            text NOT NULL,
    branch          text NOT NULL,
    ai_provider     text NOT NULL,
    ai_model        text NOT NULL,
    repo_url        text NOT NULL,               -- address without credentials, or a local path
    status          text NOT NULL CHECK (status IN ('generating', 'ready', 'error', 'aborted')),
    current_stage   text,
    error_message   text,
    page_count      integer NOT NULL DEFAULT 0,
    plan_json       text,
    repo_type       text,
    total_cost_usd  double precision,
    generation_id   uuid,                        -- the newest attempt
    -- the site that is served: the exact folder a finished attempt published (decisions.md 7)
    site_prefix     text,
    last_commit_sha text,
    last_generated  timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, name, branch, ai_provider, ai_model)
);
CREATE INDEX variants_name ON variants (name);
