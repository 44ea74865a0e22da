# As fio.sh, through shared mappings.
set -eu
. /opt/workloads/fio-job.sh
job mapped --rw=randwrite --bs=4k --size=256k --ioengine=mmap --fsync=32
job mapped-sequential --rw=write --bs=16k --size=512k --ioengine=mmap
