# Part of sqlite.sh and sqlite-wal.sh: works on $database, of which each connection begins with $pragma.
ask() {
  printf '%s\n' '.bail on' '.timeout 100000' "$pragma" "$@" | sqlite3 "$database"
}

ask 'CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT, number INT);' \
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
   INSERT INTO t SELECT i, hex(i * 7919) || printf("%.*c", i % 50, "x"), i % 97 FROM n;' \
  'CREATE INDEX words ON t(word);'

# Two at once, each transaction with the lock taken anew; one after the other where who has the database keeps others out.
for writer in 1 2; do
  for i in 1 2 3 4 5 6; do echo "INSERT INTO t VALUES(${writer}000$i, 'writer $writer', $i);"; done > "$database.$writer"
done
ask ".read $database.1" > /dev/null &
first=$!
[ "$journal" != exclusive-wal ] || wait $first
ask ".read $database.2" > /dev/null
wait $first

ask 'BEGIN;' 'UPDATE t SET number = number + 1;' 'DELETE FROM t WHERE id % 2;' 'ROLLBACK;' 'DELETE FROM t WHERE id % 5 = 0;'

# A small cache, so that half of the transaction is in the file already: the next connection takes it back. Nobody can without a journal on disk.
if [ "$journal" != memory ]; then
  ask 'PRAGMA cache_size=2;' 'BEGIN;' "UPDATE t SET word = 'lost', number = 0;" '.shell kill -9 $PPID' && exit 1
  ls -s "$database"-* | grep -qv '^ *0 '
fi

ask 'PRAGMA integrity_check;' 'VACUUM;' 'PRAGMA integrity_check;' 'SELECT count(*), sum(number), sum(length(word)) FROM t;' .dump > all
grep -v '^INSERT' all
sha256sum < all
