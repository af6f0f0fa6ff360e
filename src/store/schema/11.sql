-- Agents that nobody named: one a tenant for calls that say all there is to say themselves, and one
-- a number that says itself how it is answered. No list shows them.

CREATE TABLE implicit_agents (
    agent BLOB NOT NULL PRIMARY KEY REFERENCES agents (id),
    tenant BLOB NOT NULL REFERENCES tenants (id),
    number BLOB UNIQUE REFERENCES numbers (id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX implicit_callers ON implicit_agents (tenant) WHERE number IS NULL;
