#!/usr/bin/env bash
# Lays out gradscope under a prefix, which may be moved afterwards:
#
#     tools/install.sh BINARIES PREFIX [LIBTORCH]
#
# bin/ holds the program `gradscope` of the directory BINARIES, share/ the manual pages, what shells
# complete with, and the licence. With the directory LIBTORCH of libtorch's libraries, lib/gradscope/ holds
# `gradscope-train`, which the program hands over to, those libraries, and the C++ runtime that they need.
set -euo pipefail
binaries=$1 prefix=$2 libtorch=${3-}
root=$(cd "$(dirname "$0")/.." && pwd)

# What was laid out is asked, so that a tree that cannot start is not taken for an installed one.
program=$prefix/bin/gradscope
mkdir -p "$prefix/bin"
install -m 755 "$binaries/gradscope" "$program"

if [ -n "$libtorch" ]; then
    libraries=$prefix/lib/gradscope
    mkdir -p "$libraries"
    install -m 755 "$binaries/gradscope-train" "$libraries/gradscope-train"
    # Also those that nothing is linked with: some libraries are only looked up while a program runs.
    find -H "$libtorch" -maxdepth 1 \( -name 'lib*.so*' -o -name 'lib*.dylib' \) \
        -exec sh -c 'cp -P -- "$@" "$0"/' "$libraries" {} +
    if [ "$(uname)" = Linux ]; then
        # The rest of what it is linked with, but for the C library, which belongs to the kernel's side. The
        # one that was built is asked: that in the prefix finds what an earlier installation has left there.
        ldd "$binaries/gradscope-train" | sed -nE 's/^\s*(libstdc\+\+|libgcc_s)\.[^ ]* => (.*) \(0x.*/\2/p' \
            | while read -r library; do install -m 755 "$(readlink -f "$library")" "$libraries/$(basename "$library")"; done
    fi
fi

pages=$prefix/share/man/man1
mkdir -p "$pages"
"$program" man > "$pages/gradscope.1"
for command in $("$program" man | sed -n 's/^gradscope\\-\([a-z]*\)(1)$/\1/p'); do
    "$program" man "$command" > "$pages/gradscope-$command.1"
done

complete() {
    mkdir -p "$prefix/share/$(dirname "$2")"
    "$program" completions "$1" > "$prefix/share/$2"
}
complete bash bash-completion/completions/gradscope
complete zsh zsh/site-functions/_gradscope
complete fish fish/vendor_completions.d/gradscope.fish
complete powershell gradscope/gradscope.ps1

doc=$prefix/share/doc/gradscope
mkdir -p "$doc"
cp "$root/LICENSE" "$doc/"
