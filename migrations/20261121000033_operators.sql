-- What operators do with runs and workers.
ALTER TABLE generations
    -- the run that this one repeats; no reference, because old runs are deleted
    ADD COLUMN retry_of   uuid,
    -- the first stage that is done once more although it was done; null when only what failed is
    ADD COLUMN retry_from text,
    -- what a worker has to understand to work on it
    ADD COLUMN protocol   integer NOT NULL DEFAULT 1;
-- ended runs are deleted by age
CREATE INDEX generations_finished ON generations (finished_at) WHERE finished_at IS NOT NULL;

-- Generations that a worker holds at the same time, and since when it takes nothing new.
ALTER TABLE workers
    ADD COLUMN generation_slots integer NOT NULL DEFAULT 0,
    ADD COLUMN draining_since   timestamptz;

-- When the worker took the page.
ALTER TABLE page_jobs ADD COLUMN claimed_at timestamptz;

-- Since when, and by whom.
ALTER TABLE pauses
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN created_by text NOT NULL DEFAULT '';
