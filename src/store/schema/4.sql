-- Keys with scopes and an end, idempotency keys, and what operators ask of an API.

-- Requests that may come again, and what they were answered; the tenant is empty for operators.
CREATE TABLE kept_answers (
    tenant BLOB NOT NULL,
    key TEXT NOT NULL,
    asked BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    control INTEGER NOT NULL,
    touches INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answers_by_age ON kept_answers (at);

ALTER TABLE keys ADD COLUMN scopes TEXT NOT NULL DEFAULT '["read","write","calls"]';
ALTER TABLE keys ADD COLUMN expires_at INTEGER;
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE keys ADD COLUMN replaces BLOB;
CREATE INDEX keys_by_age ON keys (tenant, created_at, id);

CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_tenant_action ON audit (tenant, action, id);
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE INDEX audit_by_key ON audit (key, id);
CREATE INDEX audit_by_time ON audit (at);
