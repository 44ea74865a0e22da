# Two clients of a file server, as Samba would make their calls. dbench compares each call's result with what its load says.
set -euo pipefail
head -n 1500 /usr/share/dbench/client.txt > load
mkdir clients
# It takes the first semaphore of a system, number 0, for none, says so, and goes on.
dbench -c load -D clients -t 2 2 2>&1 | grep -v '^failed to create barrier semaphore' > said || { cat said; exit 1; }
if grep -iE 'error|fail|unexpected|died|unknown' said; then exit 1; fi
# Not always on the last line: its alarm goes on, and may tell of the cleaning up once more.
grep -oE '^Throughput|[0-9]+ clients|[0-9]+ procs' said | sort -u || { cat said; exit 1; }
