-- What is mirrored from hosted control APIs. The rows themselves are ours; these say which of them
-- belong to whom, and so cannot be written here.

CREATE TABLE upstreams (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    base_url TEXT NOT NULL,
    tenant BLOB NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    last_success_at INTEGER,
    calls_until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX upstreams_by_tenant ON upstreams (tenant);

CREATE TABLE mirrored_agents (
    agent BLOB NOT NULL PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    upstream TEXT NOT NULL REFERENCES upstreams (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX mirrored_agents_by_upstream ON mirrored_agents (upstream, agent);

CREATE TABLE mirrored_numbers (
    number BLOB NOT NULL PRIMARY KEY REFERENCES numbers (id) ON DELETE CASCADE,
    upstream TEXT NOT NULL REFERENCES upstreams (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX mirrored_numbers_by_upstream ON mirrored_numbers (upstream, number)
