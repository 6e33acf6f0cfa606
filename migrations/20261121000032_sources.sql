-- The files of the repository that a page speaks of, as an array of paths; null when nobody looked. A later run asks for
-- those pages again whose files changed, and for no others.
ALTER TABLE pages ADD COLUMN sources jsonb;

-- What is to be done about a page: null to write it, {"kind": "revise", "findings": [...]} or {"kind": "update"}. Rows of
-- older versions have `findings` instead.
ALTER TABLE page_jobs ADD COLUMN task jsonb;
