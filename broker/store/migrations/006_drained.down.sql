ALTER TABLE worker DROP COLUMN drained;
