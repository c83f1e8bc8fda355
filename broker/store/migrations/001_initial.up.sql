-- The store. Times are milliseconds since 1970 UTC (columns _at); lists and maps are JSON text. Columns that end in
-- _json hold JSON. Hot tables (run_log, attempt, event_chunk) carry no index but what is said here: each costs about a
-- quarter of the throughput.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,          -- store_id: part of every fence row; a restore gives the store a new one
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE driver (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  jar_file TEXT NOT NULL DEFAULT '',
  class_name TEXT NOT NULL DEFAULT '',
  url_template TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE connection (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  driver_id INTEGER NOT NULL REFERENCES driver (id),
  jdbc_url TEXT NOT NULL,
  username TEXT NOT NULL DEFAULT '',
  password TEXT NOT NULL DEFAULT '',                 -- a reference ($NAME), never a value
  default_dest_connection_id INTEGER REFERENCES connection (id),
  default_dest_schema TEXT NOT NULL DEFAULT '',
  required_tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(required_tags)),
  max_sessions INTEGER NOT NULL DEFAULT 0 CHECK (max_sessions >= 0),   -- 0: no limit
  fence TEXT NOT NULL DEFAULT 'auto' CHECK (fence IN ('auto', 'none')),
  notes TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE module (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  fence_name TEXT NOT NULL,                          -- the name when created: a rename keeps the fence row
  source_connection_id INTEGER NOT NULL REFERENCES connection (id),
  dest_connection_id INTEGER NOT NULL REFERENCES connection (id),
  dest_table TEXT NOT NULL,
  source_query TEXT NOT NULL,
  merge_strategy TEXT NOT NULL CHECK (merge_strategy IN ('full', 'incremental', 'append')),
  merge_key TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(merge_key)),
  unique_key INTEGER NOT NULL DEFAULT 0 CHECK (unique_key IN (0, 1)),
  truncate INTEGER NOT NULL DEFAULT 0 CHECK (truncate IN (0, 1)),
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  next_resolved_query TEXT,
  retries INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),
  retry_backoff_s INTEGER NOT NULL DEFAULT 30 CHECK (retry_backoff_s >= 0),
  timeout_s INTEGER NOT NULL DEFAULT 0 CHECK (timeout_s >= 0),         -- 0: none
  min_rows INTEGER CHECK (min_rows >= 0),
  max_shrink_pct INTEGER CHECK (max_shrink_pct BETWEEN 0 AND 100),
  priority INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK (merge_strategy <> 'incremental' OR merge_key <> '[]')
) STRICT;
CREATE INDEX module_by_source ON module (source_connection_id);
CREATE INDEX module_by_dest ON module (dest_connection_id);

CREATE TABLE watermark (
  id INTEGER PRIMARY KEY,
  module_id INTEGER NOT NULL REFERENCES module (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  connection_id INTEGER NOT NULL REFERENCES connection (id),
  resolver_sql TEXT NOT NULL,
  default_value TEXT,
  UNIQUE (module_id, name)
) STRICT;

CREATE TABLE hook (
  id INTEGER PRIMARY KEY,
  module_id INTEGER NOT NULL REFERENCES module (id) ON DELETE CASCADE,
  run_order INTEGER NOT NULL,
  connection_id INTEGER NOT NULL REFERENCES connection (id),
  sql TEXT NOT NULL,
  run_on TEXT NOT NULL DEFAULT 'success' CHECK (run_on IN ('success', 'failure', 'always'))
) STRICT;
CREATE INDEX hook_by_module ON hook (module_id, run_order);

CREATE TABLE grp (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  stop_on_failure INTEGER NOT NULL DEFAULT 0 CHECK (stop_on_failure IN (0, 1))
) STRICT;

CREATE TABLE group_member (
  id INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES grp (id) ON DELETE CASCADE,
  module_id INTEGER NOT NULL REFERENCES module (id) ON DELETE CASCADE,
  run_order INTEGER NOT NULL,                        -- equal ones run in parallel
  UNIQUE (group_id, module_id)
) STRICT;

CREATE TABLE schedule (
  id INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES grp (id) ON DELETE CASCADE,
  kind TEXT NOT NULL DEFAULT 'cron' CHECK (kind IN ('cron', 'interval')),
  cron_expr TEXT NOT NULL DEFAULT '',
  every_s INTEGER NOT NULL DEFAULT 0 CHECK (every_s >= 0),
  timezone TEXT NOT NULL DEFAULT 'UTC',
  misfire TEXT NOT NULL DEFAULT 'latest' CHECK (misfire IN ('latest', 'skip', 'all')),
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  last_fired_at INTEGER,
  CHECK ((kind = 'cron') = (cron_expr <> '')),
  CHECK ((kind = 'interval') = (every_s > 0))
) STRICT;
CREATE INDEX schedule_by_group ON schedule (group_id);

-- The ledger: what happened at each scheduled time. Consecutive missed ones are one row.
CREATE TABLE schedule_fire (
  schedule_id INTEGER NOT NULL,
  nominal_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
  outcome TEXT NOT NULL CHECK (outcome IN ('fired', 'skipped', 'missed', 'overlap')),
  reason TEXT NOT NULL DEFAULT '',
  group_run_id INTEGER,
  PRIMARY KEY (schedule_id, nominal_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_run (
  id INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL,
  group_name TEXT NOT NULL,
  stop_on_failure INTEGER NOT NULL,
  dry_run INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'success', 'error', 'cancelled', 'dry_run')),
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  triggered_by TEXT NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))
) STRICT;
-- One live run of a group at a time.
CREATE UNIQUE INDEX group_run_live ON group_run (group_id) WHERE status IN ('queued', 'running');

-- The members as they were when the group run began.
CREATE TABLE group_run_member (
  group_run_id INTEGER NOT NULL REFERENCES group_run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  run_order INTEGER NOT NULL,
  module_id INTEGER NOT NULL,
  module_name TEXT NOT NULL,
  run_id INTEGER,
  status TEXT CHECK (status IN ('success', 'error', 'cancelled', 'dry_run')),   -- NULL: not ended
  error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (group_run_id, position)
) STRICT, WITHOUT ROWID;

-- Definitions as runs use them. Rows of a module that are equal are one row.
CREATE TABLE definition_snapshot (
  id INTEGER PRIMARY KEY,
  module_id INTEGER NOT NULL,
  body TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
CREATE INDEX definition_snapshot_by_module ON definition_snapshot (module_id);

CREATE TABLE run_log (
  id INTEGER PRIMARY KEY,
  module_id INTEGER NOT NULL,
  module_name TEXT NOT NULL,
  group_run_id INTEGER,
  snapshot_id INTEGER NOT NULL,
  dry_run INTEGER NOT NULL DEFAULT 0,
  set_json TEXT NOT NULL DEFAULT '{}',
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'success', 'error', 'cancelled', 'dry_run')),
  queued_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  row_count INTEGER,
  error_code TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  triggered_by TEXT NOT NULL,
  client TEXT NOT NULL DEFAULT '',
  request_no INTEGER NOT NULL DEFAULT 0,
  last_epoch INTEGER,               -- the newest attempt; older ones follow attempt.previous
  attempts INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  -- While queued: what the next attempt is for, and the end state that a reconcile settles.
  reconcile INTEGER NOT NULL DEFAULT 0,
  not_before INTEGER NOT NULL DEFAULT 0,
  queued_seq INTEGER NOT NULL DEFAULT 0,   -- its run.queued event
  resolved_source_sql TEXT NOT NULL DEFAULT '',
  merge_sql TEXT NOT NULL DEFAULT '',
  watermark_values_json TEXT NOT NULL DEFAULT '{}',
  jrunner_stdout TEXT NOT NULL DEFAULT '',
  jrunner_stderr TEXT NOT NULL DEFAULT '',
  hook_log TEXT NOT NULL DEFAULT '',
  CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL))
) STRICT;
-- The lock of a module: at most one live run. It cannot leak, because it is the run.
CREATE UNIQUE INDEX run_live ON run_log (module_id) WHERE status IN ('queued', 'running');

CREATE TABLE module_last_run (
  module_id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL
) STRICT;

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,           -- the epoch
  run_id INTEGER NOT NULL,
  number INTEGER NOT NULL,          -- of the run, from 1
  previous INTEGER,                 -- epoch of the run's attempt before this one
  reconcile INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL,
  incarnation TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('assigned', 'running', 'cancelling', 'lost', 'ended')),
  merging INTEGER NOT NULL DEFAULT 0,   -- told us that it would merge; without this a lost one has not merged
  fact_seq INTEGER NOT NULL DEFAULT 0,
  assigned_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  status TEXT NOT NULL DEFAULT '',      -- what its final fact said
  outcome TEXT NOT NULL DEFAULT '',     -- of the merge: none, merged, not_merged, unknown
  error TEXT NOT NULL DEFAULT '',
  row_count INTEGER
) STRICT;

-- Staging that lost attempts may have left; the module's next claim drops it.
CREATE TABLE leftover (
  module_id INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  PRIMARY KEY (module_id, epoch)
) STRICT, WITHOUT ROWID;

-- The event log. A row is the events of one turn (run_id NULL) or a batch of log lines of one run, and occupies the
-- numbers first_seq..last_seq; body is msgpack (codec.h).
CREATE TABLE event_chunk (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL CHECK (last_seq >= first_seq),
  run_id INTEGER,
  bytes INTEGER NOT NULL DEFAULT 0,     -- of the lines' text
  body BLOB NOT NULL
) STRICT;
CREATE INDEX event_chunk_log ON event_chunk (run_id) WHERE run_id IS NOT NULL;

-- Commands that were executed, for those that come again (all but `run`, whose number is in run_log).
CREATE TABLE request (
  client TEXT NOT NULL,
  request_no INTEGER NOT NULL,
  at INTEGER NOT NULL,
  reply BLOB NOT NULL,
  PRIMARY KEY (client, request_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE worker (
  name TEXT PRIMARY KEY,
  incarnation TEXT NOT NULL,
  state_id TEXT NOT NULL,
  version TEXT NOT NULL DEFAULT '',
  host TEXT NOT NULL DEFAULT '',
  tags TEXT NOT NULL DEFAULT '[]',
  slots INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('connected', 'lost', 'left')),
  joined_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  verb TEXT NOT NULL,
  object TEXT NOT NULL DEFAULT '',
  args_json TEXT NOT NULL DEFAULT '{}',
  before_json TEXT,
  after_json TEXT
) STRICT;

INSERT INTO driver (name, class_name, url_template) VALUES
  ('sqlite', 'org.sqlite.JDBC', 'jdbc:sqlite:{path}'),
  ('postgresql', 'org.postgresql.Driver', 'jdbc:postgresql://{host}:{port}/{database}');
