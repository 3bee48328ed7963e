#!/usr/bin/env bash
# Tests what `make install` and `make dist` have made:
#
#     tools/test-dist.sh INSTALLED ARCHIVES
#
# The installed tree is moved and run; each archive is unpacked in an empty root, the whole program's
# with no more than the C library, its loader, /proc and /dev, the other with nothing at all, and run in
# it. Needs root (or user namespaces) for that.
set -euo pipefail

# Mounts of its own, which end with it; chroot and mount are root's, of this machine or of a namespace.
if [ -z "${IN_NAMESPACE-}" ]; then
    [ "$(id -u)" = 0 ] && root=() || root=(--user --map-root-user)
    IN_NAMESPACE=1 exec unshare "${root[@]}" --mount "$0" "$@"
fi

installed=$1 archives=$2
scratch=$(mktemp -d)
trap 'umount -R "$scratch"/root/{proc,dev} 2>/dev/null || true; rm -rf --one-file-system "$scratch"' EXIT

fail() { echo "test-dist: $*" >&2; exit 1; }
passed() { echo "ok: $*"; }

# Expects a status and a part of what is printed.
expect() {
    local status=$1 part=$2 said got=0
    shift 2
    said=$("$@" 2>&1) || got=$?
    [ "$got" = "$status" ] || fail "$* ended with $got, not $status: $said"
    grep -qF -- "$part" <<< "$said" || fail "$* did not say \"$part\": $said"
}

(cd "$archives" && sha256sum --quiet -c SHA256SUMS) || fail "a checksum is wrong"
passed "the checksums hold"

mkdir "$scratch/moved"
cp -a "$installed" "$scratch/moved/tree"
mv "$scratch/moved/tree" "$scratch/elsewhere"
moved=$scratch/elsewhere
trains=$moved/lib/gradscope/gradscope-train
readelf -d "$trains" | grep -qF '[$ORIGIN]' || fail "the program that trains has another run path"
ldd "$moved/bin/gradscope" | grep -E 'libtorch|libc10' && fail "the program loads libtorch"
ldd "$trains" | awk '$2 == "=>" { print $1, $3 }' | while read -r library path; do
    case $library in
        libtorch* | libc10* | libgomp* | libstdc++* | libgcc_s*)
            [[ $(readlink -f "$path") = $(readlink -f "$moved")/lib/gradscope/* ]] || fail "$library comes from $path" ;;
    esac
done
(cd "$scratch" && expect 1 "fc1 was born dead" env -u LD_LIBRARY_PATH "$moved/bin/gradscope" \
    run --model relu5 --bias -8 --epochs 3 --fail-on dead-relu --out moved/report)
for file in man/man1/gradscope.1 man/man1/gradscope-run.1 bash-completion/completions/gradscope \
    zsh/site-functions/_gradscope fish/vendor_completions.d/gradscope.fish gradscope/gradscope.ps1; do
    [ -s "$moved/share/$file" ] || fail "share/$file is not installed"
done
passed "the installed tree runs where it was moved to, from its own libraries"

# An empty root with an archive in it.
empty_root() {
    rm -rf --one-file-system "$scratch/root"
    mkdir -p "$scratch"/root/{proc,dev,tmp,work}
    tar -C "$scratch/root" --strip-components=1 -xzf "$1"
}
inside() { chroot "$scratch/root" /bin/gradscope "$@"; }

full=$(ls "$archives"/gradscope-[0-9]*.tar.gz)
empty_root "$full"
loader=$(readelf -l "$scratch/root/bin/gradscope" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
for library in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1; do
    path=$(ldd "$scratch/root/lib/gradscope/libtorch_cpu.so" | awk -v l=$library '$1 == l { print $3 }')
    install -D "$(readlink -f "$path")" "$scratch/root$path"
done
install -D "$(readlink -f "$loader")" "$scratch/root$loader"
mount -t proc proc "$scratch/root/proc" 2>/dev/null || mount --rbind /proc "$scratch/root/proc"
mount --rbind /dev "$scratch/root/dev"
expect 0 "fc1 was born dead" inside run --model relu5 --bias -8 --out /work/report
expect 1 "dead-layer fc1" inside check /work/report --fail-on dead-relu
[ -s "$scratch/root/work/report/report.html" ] || fail "there is no page"
expect 2 "did you mean relu5?" inside run --model rleu5
expect 0 "yes, with libtorch" inside doctor
expect 0 "/lib/gradscope/gradscope-train" inside doctor
umount -R "$scratch/root/dev" "$scratch/root/proc"
passed "$(basename "$full") trains and judges in a root with the C library alone"

slim=$(ls "$archives"/gradscope-slim-*.tar.gz)
report=$scratch/report
cp -r "$scratch/root/work/report" "$report"
empty_root "$slim"
cp -r "$report" "$scratch/root/work/report"
readelf -d "$scratch/root/bin/gradscope" | grep NEEDED && fail "the slim program needs libraries"
expect 1 "dead-layer fc1" inside check /work/report --fail-on dead-relu
expect 0 "fc1 was born dead" inside report /work/report/record.jsonl --out /work/again
expect 2 "needs gradscope-train" inside run --model relu5
for tree in "$full" "$slim"; do
    list=$(tar -tzf "$tree")
    for part in LICENSE licenses/crates.txt licenses/rust.html; do
        grep -q "share/doc/gradscope/$part\$" <<< "$list" || fail "$tree has no $part"
    done
done
passed "$(basename "$slim") reads records in an empty root; licences are in both"
