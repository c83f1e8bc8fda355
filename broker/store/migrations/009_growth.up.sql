-- What keeps the cost of a question, of a start and of a new definition the same however large the store has grown.

-- A module's runs are a chain: module_last_run leads to the run that ended last, and this column to the one before it; 0:
-- there was none. NULL: the run is live. (An index would cost each run more.) Filling it rewrites run_log once: about ten
-- seconds for a million runs.
ALTER TABLE run_log ADD COLUMN previous_run INTEGER;
CREATE TEMP TABLE chain AS
  SELECT id, lag(id, 1, 0) OVER (PARTITION BY module_id ORDER BY id) AS previous FROM run_log
  WHERE finished_at IS NOT NULL;
UPDATE run_log SET previous_run = c.previous FROM temp.chain c WHERE c.id = run_log.id;
DROP TABLE temp.chain;
-- The number of its run.finished event: nothing of the run comes after it.
ALTER TABLE run_log ADD COLUMN finished_seq INTEGER;
-- Of the newest attempt. The status does not depend on it.
ALTER TABLE run_log ADD COLUMN hooks_failed INTEGER NOT NULL DEFAULT 0;
-- Of that run, for lists of modules.
ALTER TABLE module_last_run ADD COLUMN hooks_failed INTEGER NOT NULL DEFAULT 0;
-- Runs that did not succeed. A run that succeeds never enters it, so it costs the usual run nothing.
CREATE INDEX run_failed ON run_log (status) WHERE status = 'error' OR status = 'cancelled' OR status = 'dry_run';

-- Its first and its last event.
ALTER TABLE group_run ADD COLUMN queued_seq INTEGER;
ALTER TABLE group_run ADD COLUMN finished_seq INTEGER;
CREATE INDEX group_run_by_group ON group_run (group_id);

-- The highest id that was ever given to a module, group or schedule. A removed definition's id must not come again while
-- rows of its history name it: a new module would take over the lock of a run that is still going.
INSERT INTO meta (key, value)
SELECT 'last_module_id', max(
  coalesce((SELECT max(id) FROM module), 0), coalesce((SELECT max(module_id) FROM definition_snapshot), 0),
  coalesce((SELECT max(module_id) FROM leftover), 0), coalesce((SELECT max(module_id) FROM module_last_run), 0),
  coalesce((SELECT max(module_id) FROM group_run_member), 0));
INSERT INTO meta (key, value)
SELECT 'last_group_id', max(
  coalesce((SELECT max(id) FROM grp), 0), coalesce((SELECT max(group_id) FROM group_run), 0));
INSERT INTO meta (key, value)
SELECT 'last_schedule_id', max(
  coalesce((SELECT max(id) FROM schedule), 0), coalesce((SELECT max(schedule_id) FROM schedule_fire), 0));
CREATE TRIGGER module_id_given AFTER INSERT ON module BEGIN
  UPDATE meta SET value = new.id WHERE key = 'last_module_id' AND CAST(value AS INTEGER) < new.id;
END;
CREATE TRIGGER group_id_given AFTER INSERT ON grp BEGIN
  UPDATE meta SET value = new.id WHERE key = 'last_group_id' AND CAST(value AS INTEGER) < new.id;
END;
CREATE TRIGGER schedule_id_given AFTER INSERT ON schedule BEGIN
  UPDATE meta SET value = new.id WHERE key = 'last_schedule_id' AND CAST(value AS INTEGER) < new.id;
END;
