#!/bin/sh
# Writes requirements-<version>.lock for the given versions of MLflow, or for those that already have one. It pins every
# package of the image with the hashes of its files. Requires uv on the PATH ("pip install uv").
#
#   images/mlflow-server/lock.sh 3.17.2 3.17.1 3.17.0 3.16.1
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- $(ls requirements-*.lock | sed 's/^requirements-//; s/\.lock$//')
for version in "$@"; do
  out=requirements-$version.lock
  { echo "mlflow[auth]==$version"; cat requirements.in; } |
    uv pip compile --quiet --upgrade --python-version 3.13 --python-platform linux --generate-hashes --only-binary :all: \
      --no-header --no-annotate --output-file "$out.new" -
  { echo "# mlflow[auth]==$version and requirements.in, for Python 3.13 on Linux; written by lock.sh"; cat "$out.new"; } >"$out"
  rm "$out.new"
  echo "$out: $(grep -c '^[a-z].*==' "$out") packages"
done
