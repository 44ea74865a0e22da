# Writes files and reads them back, every block with a checksum of its own. Says each job's error, and KiB read and written.
set -eu
. /opt/workloads/fio-job.sh
job sequential --rw=write --bs=64k --size=2m --ioengine=psync --end_fsync=1
job random --rw=randrw --bsrange=512-20k --size=256k --ioengine=pvsync2 --fsync=16 --numjobs=2
job direct --rw=randwrite --bs=4k --size=128k --ioengine=libaio --iodepth=8 --direct=1
