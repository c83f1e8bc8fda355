-- How long each step of an attempt took: [{"name", "started_at", "duration_ms"}].
ALTER TABLE attempt ADD COLUMN steps_json TEXT NOT NULL DEFAULT '[]';
