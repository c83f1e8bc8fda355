CREATE TABLE packages (
  name TEXT NOT NULL, architecture TEXT NOT NULL, version TEXT NOT NULL, section TEXT, priority TEXT,
  installed_kb INTEGER, maintainer TEXT, installed_at TEXT, revision INTEGER NOT NULL,
  PRIMARY KEY (name, architecture));
CREATE TABLE dependencies (
  name TEXT NOT NULL, architecture TEXT NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL, wants TEXT NOT NULL,
  PRIMARY KEY (name, architecture, kind, position));
CREATE TABLE files (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, architecture TEXT NOT NULL, path TEXT NOT NULL);
