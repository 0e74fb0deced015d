#!/bin/sh
# Prints the path of a Python that runs and can make a venv.
#   find_python.sh        the newest of 3.11 and later
#   find_python.sh 3.13   exactly that minor version (what `sam build` needs for the function's runtime)
# $PYTHON, when set, is the only candidate. Looks on PATH, then in pyenv, whose shims may name versions that do not run.
set -u
exact=${1:-}
versions=${exact:-3.14 3.13 3.12 3.11}

candidates() {
    if [ -n "${PYTHON:-}" ]; then command -v "$PYTHON"; return; fi
    root=$(pyenv root 2>/dev/null) || root=
    for version in $versions; do
        command -v "python$version"
        [ -n "$root" ] && ls -d "$root/versions/$version".*/bin/"python$version" 2>/dev/null
    done
    [ -n "$exact" ] || command -v python3
}

fits='import sys
wanted = tuple(map(int, sys.argv[1].split("."))) if sys.argv[1] else None
sys.exit(not (sys.version_info[:2] == wanted if wanted else sys.version_info >= (3, 11)))'

without_venv=
for python in $(candidates); do
    "$python" -c "$fits" "$exact" 2>/dev/null || continue
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -c 'import sys; print(sys.executable)'
        exit 0
    fi
    without_venv=${without_venv:-$python}
done

if [ -n "$without_venv" ]; then # Debian splits venv from Python
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "$without_venv has no ensurepip: installing python3-venv" >&2
        { apt-get install -y python3-venv || { apt-get update && apt-get install -y python3-venv; }; } >&2
        if "$without_venv" -c 'import ensurepip' 2>/dev/null; then
            "$without_venv" -c 'import sys; print(sys.executable)'
            exit 0
        fi
    fi
    echo "$without_venv cannot make a venv: install its venv package (Debian, Ubuntu: apt-get install python3-venv)." >&2
elif [ -n "$exact" ]; then
    echo "python$exact is needed and was found neither on PATH nor in pyenv: install it, or set PYTHON=/path/to/python$exact." >&2
else
    echo "Python 3.11 or later is needed and was not found: install it, or set PYTHON=/path/to/python3." >&2
fi
exit 1
