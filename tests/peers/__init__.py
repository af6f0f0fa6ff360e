"""Peer tests: the carriers' official libraries, and a real runtime, unmodified, against a running daemon."""
