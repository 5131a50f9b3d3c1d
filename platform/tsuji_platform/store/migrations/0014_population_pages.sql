-- Tables of population are read page by page, in the order of their rows.

ALTER TABLE population ADD COLUMN population_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
