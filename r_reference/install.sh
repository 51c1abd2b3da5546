#!/usr/bin/env bash
# Installs what the tests need of R, where it is missing: Debian's packages, if the user may (root, or sudo that asks no
# password), and rpy2 into the virtual environment $1. Where it may not, it says what to install, and ends well all the same.
set -euo pipefail

debian="r-base-core r-base-dev r-cran-mlbench r-cran-ggplot2 r-cran-jsonlite r-cran-testthat"

has_r() {
  command -v Rscript >/dev/null &&
    Rscript -e 'for (p in c("mlbench", "ggplot2", "jsonlite", "testthat")) loadNamespace(p)' >/dev/null 2>&1
}

if ! has_r; then
  if [ "$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else sudo="none"; fi
  if [ "$sudo" = none ] || ! command -v apt-get >/dev/null; then
    echo "R is missing, or one of its packages. Install (Debian's names): $debian. The tests that need R are left out."
    exit 0
  fi
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $debian
fi
"$1/bin/python" -c 'import rpy2' 2>/dev/null ||
  "$1/bin/python" -m pip install --quiet --constraint constraints.txt --editable '.[dev,r]'
