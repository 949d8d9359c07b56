#!/bin/sh
# install.sh LOCK FOLDER: installs exactly the wheels of a lock into a folder, from /wheelhouse, offline.
#
# The installer is itself a wheel of the wheelhouse. The same wheels give the same bytes: compiled
# files hold neither times nor the name of a temporary folder.
set -eu
export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$(echo /wheelhouse/pip-*.whl) python3 -m pip install --quiet --no-cache-dir --no-compile \
  --disable-pip-version-check --root-user-action=ignore \
  --no-index --find-links /wheelhouse --require-hashes --no-deps -r "$1" --target "$2"
python3 -m compileall -q --invalidation-mode unchecked-hash "$2"
