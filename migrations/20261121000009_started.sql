-- When a worker takes a generation, its variant's row stays as it is, but clients see `generation_started_at` on it: that is a
-- change like any other.
CREATE FUNCTION docmill_show_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- the variant's own trigger raises the revision
    UPDATE variants SET revision = revision WHERE id = NEW.variant_id AND generation_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER docmill_show_start AFTER UPDATE OF started_at ON generations
    FOR EACH ROW WHEN (OLD.started_at IS DISTINCT FROM NEW.started_at) EXECUTE FUNCTION docmill_show_start();
