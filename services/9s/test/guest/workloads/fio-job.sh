# Part of fio.sh and fio-mmap.sh.
options='--directory=. --verify=crc32c --verify_fatal=1 --verify_state_save=0 --thread --group_reporting --minimal'
job() {
  fio --name="$1" $options "${@:2}" > "$1.log" 2>&1 || { cat "$1.log"; return 1; }
  awk -F ';' '/^3;fio/ { print $3, $5, $6, $47 }' "$1.log"
}
