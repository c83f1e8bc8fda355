-- How rows get into the table, and whether queries of a connection may write.
ALTER TABLE module ADD COLUMN merge_method TEXT NOT NULL DEFAULT 'replace'
  CHECK (merge_method = 'replace' OR merge_method = 'update');
ALTER TABLE connection ADD COLUMN read_only INTEGER NOT NULL DEFAULT 1 CHECK (read_only IN (0, 1));
