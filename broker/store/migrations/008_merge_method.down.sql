ALTER TABLE connection DROP COLUMN read_only;
ALTER TABLE module DROP COLUMN merge_method;
