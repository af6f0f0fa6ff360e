-- What subscribers are told: subscriptions, events for each of them, attempts to deliver them.

-- Without an agent it is a tenant's endpoint, with one an agent's webhook. Its secret lies open:
-- every delivery is signed with it.
CREATE TABLE webhooks (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    agent BLOB,
    url TEXT NOT NULL,
    name TEXT,
    events TEXT NOT NULL,
    secret TEXT,
    timeout_seconds INTEGER NOT NULL,
    retries_max INTEGER NOT NULL,
    method TEXT NOT NULL,
    authorization TEXT NOT NULL,
    headers TEXT NOT NULL,
    templates TEXT NOT NULL,
    disabled_at INTEGER,
    trouble TEXT,
    failures INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_by_agent ON webhooks (tenant, agent, created_at, id);

-- What deliveries to URLs are signed with that agents and calls bring along.
CREATE TABLE webhook_secrets (
    tenant BLOB NOT NULL PRIMARY KEY REFERENCES tenants (id),
    secret TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Without a foreign key on webhook or call: what was told outlives both, as long as it is kept.
-- `lane` is the webhook, or stands for a tenant and the host of a URL: what shares it shares a
-- share of the sender. `due_at` is null while an earlier event of the same call goes first.
CREATE TABLE deliveries (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    webhook BLOB,
    is_agents INTEGER NOT NULL,
    lane BLOB NOT NULL,
    call BLOB NOT NULL,
    event TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    manual_retries INTEGER NOT NULL,
    due_at INTEGER,
    held_until INTEGER,
    last_error TEXT,
    last_status INTEGER,
    delivered_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (lane, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_pending ON deliveries (lane, call, id) WHERE status = 'pending';
CREATE INDEX deliveries_by_age ON deliveries (tenant, created_at, id);
CREATE INDEX deliveries_by_webhook ON deliveries (tenant, webhook, created_at, id);
CREATE INDEX deliveries_by_call ON deliveries (tenant, call, created_at, id);

-- The logs of agents' webhooks. `request` is null where the delivery's own body was sent.
CREATE TABLE attempts (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    webhook BLOB NOT NULL,
    delivery BLOB NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    request TEXT,
    http_status INTEGER,
    response_body TEXT,
    response_headers TEXT,
    duration_ms INTEGER,
    error TEXT,
    delivered_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_webhook ON attempts (tenant, webhook, created_at, id);
CREATE INDEX attempts_by_delivery ON attempts (delivery, id)
