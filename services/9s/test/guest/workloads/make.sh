# Builds one of bash's loadable commands with its own Makefile, lets bash load it, and asks make whether all is up to date.
set -eu
commands=(basename dirname tee cut csv seq stat mkdir printenv realpath strftime mktemp)
name=${commands[$1 % 12]}
cp --preserve=timestamps "/usr/share/doc/bash/examples/loadables/Makefile" "/usr/share/doc/bash/examples/loadables/$name.c" .
headers=/usr/include/bash
settings="srcdir=. VPATH=. BUILD_DIR=. topdir=$headers BASHINCDIR=$headers/include CFLAGS=-O1"
make --silent $settings LOCAL_CFLAGS=-I/usr/lib/bash "$name"
make --question $settings "$name"
sha256sum -- "$name.o" "$name"
bash -c 'enable -f "./$0" "$0"; type "$0"; help "$0"' "$name"
