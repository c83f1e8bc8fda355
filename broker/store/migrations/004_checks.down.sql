PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
  'CHECK (status = ''queued'' OR status = ''running'' OR status = ''success'' OR status = ''error'''
  || ' OR status = ''cancelled'' OR status = ''dry_run'')',
  'CHECK (status IN (''queued'', ''running'', ''success'', ''error'', ''cancelled'', ''dry_run''))')
  WHERE type = 'table' AND name = 'run_log';
UPDATE sqlite_schema SET sql = replace(sql,
  'CHECK (state = ''assigned'' OR state = ''running'' OR state = ''cancelling'' OR state = ''lost'' OR state = ''ended'')',
  'CHECK (state IN (''assigned'', ''running'', ''cancelling'', ''lost'', ''ended''))')
  WHERE type = 'table' AND name = 'attempt';
PRAGMA writable_schema = RESET;
