-- Calls that wait for their time, by who is to be called.
CREATE INDEX dials_waiting ON dials (agent, contact) WHERE due_at IS NOT NULL
