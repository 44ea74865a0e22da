# Makes a Git repository with some history in a new folder $1: files changed, renamed, removed, of other modes; links.
set -eu
git init --quiet --initial-branch main "$1"
cd "$1"
mkdir source
cp /usr/share/doc/bash/examples/loadables/{README,Makefile} /usr/share/doc/bash/examples/loadables/[a-hlr]*.c source
mkdir -p headers/below
cp /usr/include/bash/[a-c]*.h headers
cp /usr/include/bash/include/m*.h headers/below
ln -s ../headers source/headers
git add --all
git commit --quiet --message first
git branch old
sed -i 's/the/The/g' headers/*.h
git mv source/cut.c 'source/a name with blanks.c'
git rm --quiet -r headers/below
chmod 755 source/ln.c
ln -sf nowhere source/headers
git add --all
git commit --quiet --message second
