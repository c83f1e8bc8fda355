ALTER TABLE worker DROP COLUMN key;
DROP TABLE client_key;
