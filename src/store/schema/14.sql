-- Which calls have a version, so that one that speaks of an erased person goes with the last of them.

CREATE INDEX calls_by_version ON calls (version) WHERE version IS NOT NULL;
