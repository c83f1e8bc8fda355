ALTER TABLE client_key DROP COLUMN slots;
ALTER TABLE client_key DROP COLUMN tags;
ALTER TABLE client_key DROP COLUMN names;
DROP TABLE worker_name;
