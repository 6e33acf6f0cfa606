-- temporary, replaced at the merge
CREATE TABLE workers (
    name       text PRIMARY KEY,
    last_seen  timestamptz NOT NULL DEFAULT now()
);
