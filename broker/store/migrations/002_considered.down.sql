ALTER TABLE schedule DROP COLUMN considered_at;
