-- What is kept of a call beside its row: its agent as it was, its result, what was said.

ALTER TABLE calls ADD COLUMN version BLOB;
ALTER TABLE calls ADD COLUMN ringing_at INTEGER;
ALTER TABLE calls ADD COLUMN by_machine INTEGER NOT NULL DEFAULT 0;

-- Agents as calls found them: one row however many calls found the same. The id is made from what
-- is in the row; used_at is of the day, so that a busy agent's row is not written with every call.
CREATE TABLE agent_versions (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    profile TEXT NOT NULL,
    used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_versions_by_use ON agent_versions (tenant, used_at);

-- Only of calls that have a result or a transcript; transcript_at is when a call began of which a
-- transcript is kept.
CREATE TABLE call_details (
    call BLOB NOT NULL PRIMARY KEY REFERENCES calls (id),
    tenant BLOB NOT NULL REFERENCES tenants (id),
    result_status TEXT NOT NULL,
    result TEXT,
    result_error TEXT,
    segments INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    transcript_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX call_details_by_transcript ON call_details (tenant, transcript_at)
    WHERE transcript_at IS NOT NULL;

CREATE TABLE transcripts (
    call BLOB NOT NULL REFERENCES call_details (call),
    sequence_no INTEGER NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    source TEXT,
    PRIMARY KEY (call, sequence_no)
) STRICT, WITHOUT ROWID;

-- When a call that waits is to be placed; null once it is on its way, or where it never waited.
ALTER TABLE dials ADD COLUMN due_at INTEGER;
ALTER TABLE dials ADD COLUMN hangs_up_on_machine INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dials_due ON dials (due_at) WHERE due_at IS NOT NULL
