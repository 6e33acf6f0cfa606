-- How many workers died over an inspection: the fence counts every claim, those that ended in order or lived on as well.
ALTER TABLE inspections ADD COLUMN deaths integer NOT NULL DEFAULT 0;
