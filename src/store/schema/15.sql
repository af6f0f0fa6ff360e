-- Calls by where they stand for people, to whom a machine that answered is nobody. The expression
-- is that of rows/calls.rs, word for word: else the index is of no use to it.
CREATE INDEX calls_by_standing ON calls (
    tenant,
    CASE WHEN by_machine AND status = 'completed' THEN 'no_answer' ELSE status END,
    created_at,
    id
)
