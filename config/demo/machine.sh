# Creates the source of script/demo: machine.db in the directory $1, from dpkg's data. Sourced.
make_machine_database() (
  cd "$1"
  dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Architecture}\t${Version}\t${Section}\t${Priority}\t${Installed-Size}\t${Maintainer}\t${db-fsys:Last-Modified}\n' |
    sed -n 's/^installed\t//p' >packages.tsv
  dpkg-query -W -f '${Package}\t${Architecture}\tDepends\t${Depends}\n${Package}\t${Architecture}\tRecommends\t${Recommends}\n' |
    awk -F '\t' '{n = split($4, wants, /, */); for (i = 1; i <= n; i++) print $1 "\t" $2 "\t" $3 "\t" i "\t" wants[i]}' \
      >dependencies.tsv
  dpkg-query -W -f '${Package}\t${Architecture}\n${db-fsys:Files}' |
    awk '/^ / {if ($0 != " /.") print package "\t" substr($0, 2)} /^[^ ]/ {package = $0}' >files.tsv
  sqlite3 -batch machine.db <"$top/config/demo/source.sql"
  rm packages.tsv dependencies.tsv files.tsv
)
