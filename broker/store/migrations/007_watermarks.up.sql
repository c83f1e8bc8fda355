-- What a watermark's value may be, and what NULL means once the module has succeeded.
ALTER TABLE watermark ADD COLUMN raw INTEGER NOT NULL DEFAULT 0 CHECK (raw IN (0, 1));
ALTER TABLE watermark ADD COLUMN "null" TEXT CHECK ("null" IN ('default', 'error'));

-- Whether a run of the module has ever succeeded, dry runs aside.
ALTER TABLE module_last_run ADD COLUMN succeeded INTEGER NOT NULL DEFAULT 0 CHECK (succeeded IN (0, 1));
UPDATE module_last_run SET succeeded = 1 WHERE module_id IN (SELECT module_id FROM run_log WHERE status = 'success');

-- Names of the watermarks that got their default_value in a run that was not the first successful one.
ALTER TABLE run_log ADD COLUMN defaulted_json TEXT NOT NULL DEFAULT '[]';
