-- The end of a member is found, and the next stage, without reading the members that have ended: a group run of n members
-- costs n, not the square of it.
CREATE INDEX group_run_member_waiting ON group_run_member (group_run_id, run_order, position)
  WHERE status IS NULL AND run_id IS NULL;
CREATE INDEX group_run_member_running ON group_run_member (group_run_id, run_id)
  WHERE status IS NULL AND run_id IS NOT NULL;
CREATE INDEX group_run_member_failed ON group_run_member (group_run_id, position)
  WHERE status IN ('error', 'cancelled');
