-- The account: a row per call of an AI command line, made before it starts and settled after it. No foreign keys: what was
-- spent stays written down when the variant, the generation or the user is deleted.
CREATE TABLE ai_calls (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- for whom
    generation_id uuid NOT NULL,
    username      text NOT NULL,               -- who asked for the generation
    owner         text NOT NULL,
    project       text NOT NULL,
    branch        text NOT NULL,
    slug          text,                        -- null when the call is about no page of its own
    stage         text NOT NULL,
    purpose       text NOT NULL,               -- plan, repair, page, revise ...
    attempt       integer NOT NULL,            -- the first is 1
    -- by whom
    provider      text NOT NULL,
    model         text NOT NULL,
    cli_version   text NOT NULL,
    prompt_hash   text NOT NULL,               -- sha-256 of the prompt and the files that it names
    worker        text NOT NULL,
    -- what it takes
    reserved_usd  double precision NOT NULL DEFAULT 0,
    input_tokens  bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cost_usd      double precision,            -- null: nobody knows
    cost_source   text CHECK (cost_source IN ('cli', 'prices')),
    started_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    duration_ms   bigint,
    outcome       text NOT NULL DEFAULT 'running' -- then ok, replayed, lost, or the class of the failure
);
CREATE INDEX ai_calls_by_user ON ai_calls (username, started_at);
CREATE INDEX ai_calls_by_generation ON ai_calls (generation_id, id);
-- budgets of a month are summed up before each call, from the index alone
CREATE INDEX ai_calls_by_time ON ai_calls (started_at) INCLUDE (username, cost_usd, reserved_usd, outcome);
CREATE INDEX ai_calls_running ON ai_calls (id) WHERE outcome = 'running';
-- what a call is expected to cost
CREATE INDEX ai_calls_known_costs ON ai_calls (provider, model, purpose, id DESC)
    WHERE outcome = 'ok' AND cost_usd IS NOT NULL;

-- The budget of a generation in US dollars, when the request names one.
ALTER TABLE generations ADD COLUMN max_cost_usd double precision CHECK (max_cost_usd > 0);
