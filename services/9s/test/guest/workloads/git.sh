# Clones, goes from branch to branch, changes files and commits. Says what came of it.
set -eu
git clone --quiet file:///opt/repository copy
cd copy

# What the index knows of each file - inode, times, size, owner, mode - is what lstat says, without a look into the file.
unchanged() {
  git diff-files --exit-code
  git status --porcelain
  git rev-parse 'HEAD^{tree}'
}

unchanged
git checkout --quiet old
unchanged
git checkout --quiet main

echo more >> source/README
rm source/head.c
mkdir -p deep/er
echo new > deep/er/file
chmod 755 source/rm.c
git mv source/ln.c source/ln-moved.c
git status --porcelain
git add --all
git commit --quiet --message third
git fsck --strict --full --no-progress
git log --format='%H %T'
git status --porcelain
find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
find . -name .git -prune -o -printf '%m %y %p %l\n' | sort | sha256sum
