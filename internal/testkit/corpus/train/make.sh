#!/usr/bin/env bash
# Remakes the archives: all of them, or the cases of the given versions of
# scikit-learn only. Each version gets a virtual environment that is deleted
# afterwards (400 MB). The Pythons are pyenv's, or those on PATH.
#
#   internal/testkit/corpus/train/make.sh [VERSION ...]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
archives=$here/../testdata
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# One thread and one seed: the same files again, times of fitting aside.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

versions=("$@")
if [ $# -eq 0 ]; then
	mapfile -t versions < <(grep -oE '^[0-9.]+' "$here/versions.txt")
else
	python3 "$here/pack.py" --unpack "$work/cases" "$archives"
fi
read -r _ _ common < <(grep '^all ' "$here/versions.txt")
for version in "${versions[@]}"; do
	read -r _ minor pins < <(grep "^$version " "$here/versions.txt") || { echo "versions.txt has no $version" >&2; exit 2; }
	python=$(ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$minor".*/bin/python"$minor" 2>/dev/null | tail -1 || true)
	"${python:-python$minor}" -m venv "$work/venv"
	# shellcheck disable=SC2086 # the pins are words
	"$work/venv/bin/pip" install -q --no-compile --no-deps --only-binary :all: scikit-learn=="$version" $pins $common
	rm -rf "$work"/cases/*/"$version"
	echo "scikit-learn $version"
	"$work/venv/bin/python" "$here/train.py" "$work/cases"
	rm -rf "$work/venv"
done
python3 "$here/pack.py" "$work/cases" "$archives"
