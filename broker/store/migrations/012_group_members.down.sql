DROP INDEX group_run_member_failed;
DROP INDEX group_run_member_running;
DROP INDEX group_run_member_waiting;
