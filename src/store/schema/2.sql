-- Calls that are placed here: how a carrier's API is spoken to, and what was asked of it.

ALTER TABLE accounts ADD COLUMN api_url TEXT;
ALTER TABLE accounts ADD COLUMN api_key TEXT;
ALTER TABLE accounts ADD COLUMN calls_per_second INTEGER NOT NULL DEFAULT 1;

-- One row a call placed here, beside its row in calls. Its touch is made from it, under the call's
-- own id, once the phone may have rung; until then there is none to be seen or sent.
CREATE TABLE dials (
    call BLOB NOT NULL PRIMARY KEY REFERENCES calls (id),
    tenant BLOB NOT NULL REFERENCES tenants (id),
    account BLOB NOT NULL,
    agent BLOB NOT NULL,
    caller_id INTEGER NOT NULL,
    contact INTEGER NOT NULL,
    state TEXT NOT NULL,
    asked_at INTEGER,
    is_test INTEGER NOT NULL,
    detects_machine INTEGER NOT NULL,
    instructions TEXT,
    variables TEXT,
    echo TEXT,
    webhook_url TEXT,
    error_message TEXT
) STRICT, WITHOUT ROWID;
-- What a start looks at: few of many.
CREATE INDEX dials_unsettled ON dials (state) WHERE state IN ('queued', 'dialing');
CREATE INDEX calls_open ON calls (id)
    WHERE status IN ('queued', 'initiated', 'ringing', 'in_progress')
