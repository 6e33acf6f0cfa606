-- What the request says about the documentation itself: title, language, instructions, files, pages (shared::options). The
-- repository's own docmill.toml is read from the commit and stands nowhere here.
ALTER TABLE generations ADD COLUMN options jsonb NOT NULL DEFAULT '{}';
