# Stressors of files, four at once, each until it has done so much, and verified it. Says which ones have.
set -eu
stressors=(
  rename:40 utime:150 hdd:150 lockf:300
  dentry:40 touch:40 fstat:60 locka:300
  dir:40 chmod:5 mknod:60 lockofd:300
  dirmany:60 chown:20 getdent:300 flock:300
  xattr:1 access:2 copy-file:5 io:100
  file-ioctl:300 handle:100 dnotify:5 fcntl:10
)
options=()
for stressor in "${stressors[@]:$1 % 6 * 4:4}"; do
  options+=("--${stressor%:*}" 1 "--${stressor%:*}-ops" "${stressor#*:}")
done
stress-ng --temp-path . --verify --metrics-brief --oomable --timeout 800 "${options[@]}" > said 2>&1
awk '/metrc:/ && $5 > 0 && $5 ~ /^[0-9]+$/ { print $4 }' said
if grep 'fail:' said; then exit 1; fi
