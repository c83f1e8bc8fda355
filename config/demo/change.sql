-- Changes to the source between the two runs: three packages are upgraded, one is installed.
BEGIN;
UPDATE package SET version = version || '+upgraded', revision = (SELECT max(revision) + 1 FROM package)
  WHERE name IN ('bash', 'coreutils', 'tar');
INSERT INTO package
  SELECT NULL, 'pipekit', 'all', '0.1.0', 'database', 'optional', 12000, 'Pipekit', datetime(), max(revision)
  FROM package;
INSERT INTO dependency SELECT id, 'Depends', 1, 'libzmq5' FROM package WHERE name = 'pipekit';
INSERT INTO dependency SELECT id, 'Depends', 2, 'libpq5' FROM package WHERE name = 'pipekit';
INSERT INTO file
  SELECT NULL, p.id, '/usr/bin/pipekit-' || program.value
  FROM package p, json_each('["broker", "worker", "ctl", "jrunner", "supervisor"]') AS program
  WHERE p.name = 'pipekit';
COMMIT;
