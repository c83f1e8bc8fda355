-- The source: this machine's package database, from the tab-separated files that script/demo wrote.
CREATE TABLE package (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, architecture TEXT NOT NULL, version TEXT NOT NULL, section TEXT,
  priority TEXT, installed_kb INTEGER, maintainer TEXT, installed_at TEXT,
  revision INTEGER NOT NULL,  -- increased with each change of the row
  UNIQUE (name, architecture));
CREATE INDEX package_revision ON package (revision);
CREATE TABLE dependency (
  package_id INTEGER NOT NULL REFERENCES package, kind TEXT NOT NULL, position INTEGER NOT NULL, wants TEXT NOT NULL);
CREATE TABLE file (
  id INTEGER PRIMARY KEY, package_id INTEGER NOT NULL REFERENCES package, path TEXT NOT NULL);
CREATE TEMP TABLE raw_package (name, architecture, version, section, priority, installed_kb, maintainer, installed_at);
CREATE TEMP TABLE raw_dependency (name, architecture, kind, position, wants);
CREATE TEMP TABLE raw_file (name, architecture, path);
.mode ascii
.separator "\t" "\n"
.import packages.tsv raw_package
.import dependencies.tsv raw_dependency
.import files.tsv raw_file
BEGIN;
INSERT INTO package
  SELECT NULL, name, architecture, version, section, priority, nullif(installed_kb, ''), maintainer,
         datetime(nullif(installed_at, ''), 'unixepoch'),
         row_number() OVER (ORDER BY name, architecture)
  FROM raw_package ORDER BY name, architecture;
INSERT INTO dependency
  SELECT p.id, d.kind, d.position, d.wants FROM raw_dependency d JOIN package p USING (name, architecture);
INSERT INTO file SELECT NULL, p.id, f.path FROM raw_file f JOIN package p USING (name, architecture);
COMMIT;
