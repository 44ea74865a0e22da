# A database with ways of journaling that need no shared memory: two writers at once, a transaction that is taken back, and a
# writer killed in the middle of one.
set -euo pipefail
journals=(delete truncate persist memory)
database=rollback.db journal=${journals[$1 % 4]}
pragma="PRAGMA journal_mode=$journal;"
. /opt/workloads/database.sh
database=exclusive.db journal=exclusive-wal pragma='PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal;'
. /opt/workloads/database.sh
