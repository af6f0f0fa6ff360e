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
