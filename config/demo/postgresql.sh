# The destination of script/demo --postgres: a separate PostgreSQL server in a temporary directory, on a free port of the
# loopback interface. Sourced; $dir and $top come from the demo.
destination_name='a temporary PostgreSQL server'
postgres_dir='' postgres_port='' as_postgres=()

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 40000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# Another program may take the port before the server does; then try the next one.
start_postgres() {
  local attempt
  for attempt in 1 2 3 4 5; do
    postgres_port=$(free_port)
    "${as_postgres[@]}" "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -l "$postgres_dir/log" -w -s \
      -o "-k $postgres_dir -p $postgres_port -h 127.0.0.1 -c fsync=off" start >/dev/null 2>&1 && return
  done
  cat "$postgres_dir/log" >&2
  fail 'PostgreSQL does not start'
}

destination_start() {
  postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  [ -x "$postgres_bin/initdb" ] || fail 'PostgreSQL is not installed'
  as_postgres=(env)
  postgres_dir=$(mktemp -d "${TMPDIR:-/tmp}/pipekit-pg.XXXXXX")
  DEMO_PG_PASSWORD=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  export DEMO_PG_PASSWORD PIPEKIT_SECRET_ENV=DEMO_PG_PASSWORD    # which the workers may use as a password
  (umask 077; printf '%s\n' "$DEMO_PG_PASSWORD" >"$postgres_dir/password")
  if [ "$(id -u)" = 0 ]; then    # PostgreSQL refuses to run as root
    as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups env)
    chown -R postgres:postgres "$postgres_dir"
  fi
  cd "$postgres_dir"
  "${as_postgres[@]}" "$postgres_bin/initdb" -D "$postgres_dir/data" -U pipekit -E UTF8 --locale=C.UTF-8 --no-sync \
    --auth-local=trust --auth-host=scram-sha-256 --pwfile="$postgres_dir/password" --no-instructions \
    >"$postgres_dir/initdb" 2>&1 || { cat "$postgres_dir/initdb" >&2; fail 'initdb failed'; }
  start_postgres
  cd "$top"
  printf 'CREATE DATABASE inventory;\n' | psql_in postgres
  psql_in inventory <"$top/config/demo/destination.sql"
  say "  on 127.0.0.1:$postgres_port; definitions only name its password: \$DEMO_PG_PASSWORD"
}

psql_in() {
  "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$postgres_dir" -p "$postgres_port" -U pipekit -d "$1" "${@:2}"
}

destination_stop() {
  [ -n "$postgres_dir" ] || return 0
  [ ! -e "$postgres_dir/data/postmaster.pid" ] ||
    "${as_postgres[@]}" "$postgres_bin/pg_ctl" -D "$postgres_dir/data" -w -s -m immediate stop >/dev/null 2>&1 || true
  cd / && rm -rf "$postgres_dir"
}

destination_connections() {
  sed "s|@DIR@|$dir|; s|@PORT@|$postgres_port|" "$top/config/demo/connections.postgresql.yaml"
}
destination_query() { psql_in inventory -A -t -F '|' -c "$1"; }
