-- Numbers and applications that were changed at their carrier so that calls come here: what was
-- there before, so that it can be put back, and what was put, so that others' changes are seen.

CREATE TABLE pointed_numbers (
    account BLOB NOT NULL,
    e164 INTEGER NOT NULL,
    carrier_number_id TEXT NOT NULL,
    previous TEXT NOT NULL,
    pointed TEXT NOT NULL,
    asked_before TEXT,
    application TEXT,
    passthrough TEXT,
    is_confirmed INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, e164)
) STRICT, WITHOUT ROWID;

CREATE TABLE pointed_applications (
    account BLOB NOT NULL,
    application TEXT NOT NULL,
    previous TEXT NOT NULL,
    pointed TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, application)
) STRICT, WITHOUT ROWID
