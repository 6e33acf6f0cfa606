-- The next waiting pages of a generation, without a look at those behind them.
CREATE INDEX page_jobs_next ON page_jobs (generation_id, tries, position) WHERE state = 'waiting';
