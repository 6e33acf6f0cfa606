-- What is known about the words of a generation, found out by the stage `validating` without a model.

-- A section: what stands below a heading of level 2, and what stands before the first. Its text is cut out of pages.markdown.
CREATE TABLE sections (
    generation_id uuid NOT NULL,
    slug          text NOT NULL,
    position      integer NOT NULL,
    heading       text NOT NULL,               -- empty for the first
    first_byte    integer NOT NULL,            -- in pages.markdown
    end_byte      integer NOT NULL,            -- the first one behind it
    content_hash  text NOT NULL,               -- sha-256 of the text, in hex
    identifiers   jsonb NOT NULL DEFAULT '[]', -- array of names
    counts        jsonb NOT NULL DEFAULT '{}',
    verified      boolean NOT NULL,
    cost_usd      double precision,
    PRIMARY KEY (generation_id, slug, position),
    FOREIGN KEY (generation_id, slug) REFERENCES pages ON DELETE CASCADE
);

-- Where a section's citations lead at the commit of the generation. The text keeps what was written.
CREATE TABLE citations (
    generation_id uuid NOT NULL,
    slug          text NOT NULL,
    section       integer NOT NULL,
    position      integer NOT NULL,            -- in the section
    written       text NOT NULL,
    path          text NOT NULL,
    first_line    integer,                     -- null: the whole file
    last_line     integer,
    content_hash  text NOT NULL,               -- sha-256 of the cited lines, in hex; empty when it leads nowhere
    state         text NOT NULL CHECK (state IN ('exact', 'adjusted', 'moved', 'unresolved')),
    PRIMARY KEY (generation_id, slug, section, position),
    FOREIGN KEY (generation_id, slug, section) REFERENCES sections ON DELETE CASCADE
);

-- What is wrong.
CREATE TABLE findings (
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    position      integer NOT NULL,            -- the order in which they are told
    slug          text,                        -- null: about the site
    section       integer,                     -- null: about the page
    rule          text NOT NULL,
    severity      text NOT NULL CHECK (severity IN ('error', 'warning', 'note')),
    message       text NOT NULL,
    evidence      text NOT NULL,
    fix           text NOT NULL,
    PRIMARY KEY (generation_id, position)
);

-- The score card (shared/src/evidence.rs) and its grade; null when nobody checked.
ALTER TABLE generations
    ADD COLUMN score jsonb,
    ADD COLUMN grade text CHECK (grade IN ('A', 'B', 'C', 'D', 'F'));
