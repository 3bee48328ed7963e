#!/usr/bin/env bash
# Packs the archives of a release:
#
#     tools/dist.sh OUT BINARIES LIBTORCH    both programs, with libtorch and the C++ runtime
#     tools/dist.sh OUT BINARIES             the program that does not train, linked statically
#
# Either goes into OUT/ as a tar.gz of a tree that runs wherever it is unpacked, with the licences of
# everything in it; OUT/SHA256SUMS lists what is there. For Linux.
set -euo pipefail
out=$1 binaries=$2 libtorch=${3-}
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() { echo "dist: $*" >&2; exit 1; }

version=$(sed -n "s/^version = \"\(.*\)\"/\1/p" "$root/Cargo.toml" | head -n 1)
name=gradscope$([ -n "$libtorch" ] || echo -slim)-$version-$(uname -m)-linux
tree=$scratch/$name
doc=$tree/share/doc/gradscope

# Where it was built is nowhere else: a release that looked for libtorch there would seem to work here.
for binary in gradscope ${libtorch:+gradscope-train}; do
    dynamic=$(readelf -d "$binaries/$binary")
    if grep -E 'R(UN)?PATH' <<< "$dynamic" | grep -vF '[$ORIGIN]'; then
        fail "$binary also looks for libraries elsewhere: build it with GRADSCOPE_RELEASE=1"
    fi
done
# It starts in milliseconds because of that.
grep -E 'libtorch|libc10' <<< "$(readelf -d "$binaries/gradscope")" && fail "gradscope is linked with libtorch"

# libtorch_cpu is linked against two libraries for graphics cards that it never calls without one, and
# whose licence is not as free as its own. In their place goes what has the same names and always says
# that there is no card.
without_cuda() {
    local library=$1 libraries=$tree/lib/gradscope source=$scratch/cuda.c symbols
    symbols=$(nm -D --undefined-only "$libraries/libtorch_cpu.so" | sed -n "s/.* U \(.*\)@$library\$/\1/p")
    [ -n "$symbols" ] || fail "libtorch_cpu takes nothing from $library: has it changed?"
    {
        for symbol in $symbols; do
            case $symbol in
                cudaGetErrorString) echo "const char *$symbol(int e) { return \"there is no CUDA here\"; }" ;;
                cuptiGetResultString)
                    echo "int $symbol(int e, const char **s) { *s = \"there is no CUPTI here\"; return 0; }" ;;
                # cudaErrorNoDevice, and no success for CUPTI either.
                *) echo "int $symbol(void) { return 100; }" ;;
            esac
        done
    } > "$source"
    echo "$library { global: *; };" > "$scratch/version"
    rm "$libraries/$library"
    cc -shared -fPIC -O1 -s -Wl,-soname,"$library" -Wl,--version-script="$scratch/version" \
        -o "$libraries/$library" "$source"
}

licence() { cp "$root/licenses/$1.txt" "$doc/licenses/"; }

"$root/tools/install.sh" "$binaries" "$tree" "$libtorch"
mkdir "$doc/licenses"
# That of Rust's own library lies where the compiler does.
cp "$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html" "$doc/licenses/rust.html"
if [ -n "$libtorch" ]; then
    ls "$libtorch"/libtorch_cuda* >/dev/null 2>&1 && fail "$libtorch is a CUDA build, which is not redistributed"
    find "$tree/lib/gradscope" -type l -delete # names that only a linker asks for
    without_cuda libcudart.so.13
    without_cuda libcupti.so.13
    "$root/tools/licenses.py" crates > "$doc/licenses/crates.txt"
    for part in libtorch intel-mkl gcc-runtime; do licence $part; done
else
    "$root/tools/licenses.py" crates --no-default-features > "$doc/licenses/crates.txt"
    licence glibc
fi

mkdir -p "$out"
# The same input gives the same bytes.
time=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)
tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" -cf - "$name" \
    | gzip -9n > "$out/$name.tar.gz.partial"
mv "$out/$name.tar.gz.partial" "$out/$name.tar.gz"
(cd "$out" && sha256sum -- *.tar.gz > SHA256SUMS)
echo "$out/$name.tar.gz ($(du -h "$out/$name.tar.gz" | cut -f 1))"
