-- The grade of the served site, so that lists of variants need not look for the run that made it.
ALTER TABLE variants ADD COLUMN grade text CHECK (grade IN ('A', 'B', 'C', 'D', 'F'));
