# The destination of script/demo: another SQLite file. Sourced; $dir and $top come from the demo.
destination_name='another SQLite database'
destination_start() { sqlite3 -batch "$dir/inventory.db" <"$top/config/demo/destination.sql"; }
destination_stop() { :; }
destination_connections() { sed "s|@DIR@|$dir|" "$top/config/demo/connections.sqlite.yaml"; }
destination_query() { sqlite3 -batch -readonly -separator '|' "$dir/inventory.db" "$1"; }
