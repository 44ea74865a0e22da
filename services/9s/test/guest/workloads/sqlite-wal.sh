# A database with a write-ahead log that several processes use, by an index in shared memory.
set -euo pipefail
database=wal.db journal=wal pragma='PRAGMA journal_mode=wal;'
. /opt/workloads/database.sh
