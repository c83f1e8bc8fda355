ALTER TABLE run_log DROP COLUMN defaulted_json;
ALTER TABLE module_last_run DROP COLUMN succeeded;
ALTER TABLE watermark DROP COLUMN "null";
ALTER TABLE watermark DROP COLUMN raw;
