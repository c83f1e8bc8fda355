-- Which keys the encrypted sockets admit, and in which role. A local socket needs no key.
CREATE TABLE client_key (
  name TEXT PRIMARY KEY CHECK (name <> ''),
  public_key TEXT NOT NULL UNIQUE CHECK (length(public_key) = 40),
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'worker')),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- The key with which the worker came in; its name belongs to that key as long as its lease lasts. Empty: none.
ALTER TABLE worker ADD COLUMN key TEXT NOT NULL DEFAULT '';
