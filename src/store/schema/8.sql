-- Erased persons, and what retention needs.

ALTER TABLE agents ADD COLUMN min_attestation TEXT;
ALTER TABLE agents ADD COLUMN context_min_attestation TEXT;

CREATE INDEX accounts_by_tenant ON accounts (tenant, name);
CREATE INDEX numbers_by_account ON numbers (account);
CREATE INDEX callers_by_age ON callers (tenant, last_at);

-- The person of the call has been erased; nothing told of it later brings them back.
ALTER TABLE calls ADD COLUMN is_erased INTEGER NOT NULL DEFAULT 0;

-- Whoever was erased, by a code that only who has the key can compute: the list names nobody.
CREATE TABLE erasures (
    tenant BLOB NOT NULL REFERENCES tenants (id),
    contact BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_by_age ON erasures (tenant, at);
CREATE TABLE erasure_keys (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL
) STRICT
