-- The history of the configuration: what each write changed, whole, before and after. The place is
-- the order of commits, which a clock that is set back does not change.

CREATE TABLE revisions (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    key BLOB,
    summary TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revisions_by_age ON revisions (tenant, created_at, id);
CREATE INDEX revisions_by_place ON revisions (tenant, place);

CREATE TABLE revised (
    revision INTEGER NOT NULL REFERENCES revisions (place) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    object BLOB NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (revision, kind, object)
) STRICT, WITHOUT ROWID
;
-- Documents name agents by their names.
CREATE INDEX agents_by_name ON agents (tenant, name)
