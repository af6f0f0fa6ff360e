-- Ids are 16-byte blobs, E.164 numbers integers, times integers (milliseconds, touches' seconds),
-- closed sets their words. Lists that are only ever read whole are JSON texts.

CREATE TABLE heads (
    stream INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    epoch BLOB NOT NULL,
    seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    PRIMARY KEY (stream, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    stream INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    chain BLOB NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (stream, shard, seq)
) STRICT;

CREATE TABLE tenants (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    window_days INTEGER NOT NULL,
    touch_retention_days INTEGER NOT NULL,
    min_attestation TEXT NOT NULL,
    below_min TEXT NOT NULL,
    context_min_attestation TEXT NOT NULL,
    fallback_agent BLOB,
    last_resort TEXT NOT NULL,
    block_list TEXT NOT NULL,
    block_target TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    carrier TEXT NOT NULL,
    tenant BLOB REFERENCES tenants (id),
    account_id TEXT NOT NULL,
    secrets TEXT NOT NULL,
    shared_keys TEXT NOT NULL,
    origin TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    label TEXT,
    direction TEXT NOT NULL,
    state TEXT NOT NULL,
    targets TEXT NOT NULL,
    runtime_parameters TEXT NOT NULL,
    first_audio_timeout_ms INTEGER,
    profile TEXT NOT NULL,
    primary_number BLOB,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    archived_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_by_age ON agents (tenant, created_at, id);

-- Without a foreign key on account: an account that leaves the configuration file and returns finds
-- its numbers as they were.
CREATE TABLE numbers (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    account BLOB,
    e164 INTEGER NOT NULL,
    friendly_name TEXT,
    passthrough TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX numbers_by_key ON numbers (e164, coalesce(account, x''));
CREATE INDEX numbers_by_age ON numbers (tenant, created_at, id);

-- The row's own id is the order of attaching.
CREATE TABLE bindings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number BLOB NOT NULL REFERENCES numbers (id),
    agent BLOB NOT NULL REFERENCES agents (id),
    attached INTEGER NOT NULL,
    claim INTEGER,
    UNIQUE (number, agent)
) STRICT;
CREATE INDEX bindings_by_agent ON bindings (agent);

CREATE TABLE callback_roles (
    agent BLOB NOT NULL PRIMARY KEY REFERENCES agents (id),
    window_days INTEGER,
    trigger_outcomes TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE callback_sources (
    agent BLOB NOT NULL REFERENCES callback_roles (agent),
    position INTEGER NOT NULL,
    source BLOB NOT NULL REFERENCES agents (id),
    PRIMARY KEY (agent, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_sources_by_source ON callback_sources (source);

-- Keyed by tenant first: a touch's id is its owner's word, so two tenants may use the same.
-- Without a foreign key on agent: touches of a deleted agent keep their places.
CREATE TABLE touches (
    tenant BLOB NOT NULL REFERENCES tenants (id),
    id BLOB NOT NULL,
    contact INTEGER NOT NULL,
    agent BLOB NOT NULL,
    caller_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    external_id TEXT,
    call BLOB,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
-- It covers what a snapshot reads, so that loading walks this index alone.
CREATE INDEX touches_by_contact
    ON touches (tenant, contact, at DESC, id DESC, agent, caller_id, outcome);
CREATE INDEX touches_by_age ON touches (tenant, at);

-- Which numbers an agent has shown, without walking its touches.
CREATE TABLE callers (
    tenant BLOB NOT NULL,
    agent BLOB NOT NULL,
    caller_id INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent, caller_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    account BLOB,
    carrier_call_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    status TEXT NOT NULL,
    ani INTEGER,
    dnis INTEGER,
    number BLOB,
    agent BLOB,
    reason TEXT,
    unmatched INTEGER NOT NULL,
    touch BLOB,
    trace TEXT NOT NULL,
    targets_tried TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at INTEGER,
    updated_at INTEGER NOT NULL,
    ended_by TEXT,
    error_code TEXT,
    caller_verified INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_age ON calls (tenant, created_at, id);
CREATE INDEX calls_by_agent ON calls (tenant, agent, created_at, id);
CREATE INDEX calls_by_ani ON calls (tenant, ani, created_at, id);
CREATE INDEX calls_by_carrier_id ON calls (tenant, carrier_call_id);

-- A key is 256 random bits, so a plain SHA-256 of it is right: there is nothing to guess, and a
-- slow hash would only slow every request.
CREATE TABLE keys (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    tenant BLOB REFERENCES tenants (id),
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_prefix ON keys (substr(hash, 1, 8));

CREATE TABLE media_keys (
    id INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Who wrote what when. Never a secret, never a value.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    key BLOB,
    tenant BLOB,
    action TEXT NOT NULL,
    subject BLOB
) STRICT;
CREATE INDEX audit_by_tenant ON audit (tenant, id)
