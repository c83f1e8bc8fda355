-- A worker's name belongs to the identity that used it first, until an operator releases it: "key PUBLIC_KEY", "uid N" of
-- a local worker, or "local" where the kernel did not tell.
CREATE TABLE worker_name (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  identity TEXT NOT NULL CHECK (identity <> ''),
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX worker_name_by_identity ON worker_name (identity);
INSERT INTO worker_name (name, identity, since) SELECT name, 'key ' || key, joined_at FROM worker WHERE key <> '';

-- What a worker's key may claim in its hello; NULL: anything. JSON lists of names ("plant2-*" is a prefix) and of tags.
ALTER TABLE client_key ADD COLUMN names TEXT;
ALTER TABLE client_key ADD COLUMN tags TEXT;
ALTER TABLE client_key ADD COLUMN slots INTEGER CHECK (slots > 0);
