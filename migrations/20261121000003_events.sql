-- What happened to variants, in order, for everyone who watches; replayed from a sequence number after a lost connection.
CREATE TABLE events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    variant_id    bigint NOT NULL REFERENCES variants ON DELETE CASCADE,
    generation_id uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('progress', 'status_change', 'warning')),
    body          jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_by_generation ON events (generation_id, id);
CREATE INDEX events_by_variant ON events (variant_id, id);
CREATE INDEX events_by_age ON events (created_at);
