#!/usr/bin/env bash
# The daemon beside Express, FastAPI, Kamailio, nginx and bare hyper: see __main__.py.
#
# Beside cargo it needs python3, node with npm, redis-server, nginx and kamailio:
#   apt-get install redis-server nginx kamailio kamailio-extra-modules
# What is not there is left out, and said.
exec python3 "$(dirname "$0")" "$@"
