#!/usr/bin/env bash
# Installs what the tests of pages need, where it is missing: Debian's Chromium and node, if the user may (root, or sudo that
# asks no password), and what package-lock.json pins. Where it may not, it says what to install, and ends well all the same.
set -euo pipefail
cd "$(dirname "$0")"

missing=""
command -v chromedriver >/dev/null || missing="chromium chromium-driver"
command -v npm >/dev/null || missing="$missing nodejs npm"

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else sudo="none"; fi
  if [ "$sudo" = none ] || ! command -v apt-get >/dev/null; then
    echo "Chromium or node is missing. Install (Debian's names): $missing. The tests in a browser are left out."
    exit 0
  fi
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing
fi
cmp -s package-lock.json node_modules/installed ||
  { npm ci --silent && cp package-lock.json node_modules/installed; } ||
  echo "npm cannot fetch what tests/browser/package-lock.json pins. The tests that need it are left out."
