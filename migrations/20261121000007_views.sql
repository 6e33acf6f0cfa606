-- Every change of a variant gives it a higher revision, so that "has anything changed that this caller sees?" is a count and a
-- sum over an index and not a comparison of rows.
CREATE SEQUENCE variant_revisions;
ALTER TABLE variants ADD COLUMN revision bigint NOT NULL DEFAULT nextval('variant_revisions');
CREATE FUNCTION docmill_raise_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('variant_revisions');
    RETURN NEW;
END $$;
CREATE TRIGGER docmill_raise_revision BEFORE UPDATE ON variants
    FOR EACH ROW EXECUTE FUNCTION docmill_raise_revision();
CREATE INDEX variants_views ON variants (owner, name) INCLUDE (revision);
CREATE INDEX variants_ready_models ON variants (ai_provider, ai_model) WHERE status = 'ready';

-- Sites whose variant was deleted; whoever removed the files deletes the row.
CREATE TABLE deleted_sites (
    site_prefix text PRIMARY KEY,
    deleted_at  timestamptz NOT NULL DEFAULT now()
);

-- `replace=true`: the variant whose pages are taken over goes when this one is ready.
ALTER TABLE generations ADD COLUMN replace boolean NOT NULL DEFAULT false;
