-- Scheduled times up to here have their outcome in schedule_fire. A schedule of before looks forward from its last one.
ALTER TABLE schedule ADD COLUMN considered_at INTEGER NOT NULL DEFAULT 0;
UPDATE schedule SET considered_at = coalesce(
  (SELECT max(until_at) FROM schedule_fire WHERE schedule_id = schedule.id), unixepoch() * 1000);
