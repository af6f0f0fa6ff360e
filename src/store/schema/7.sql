-- What Talkover's API keeps beside agents and calls: counts, trunks, release requests, campaigns.

-- Calls a day (UTC, days since 1970), so that a list's total, and where one of its pages begins, is
-- a sum of few rows. Agent x'' stands for everybody's, those without an agent included.
CREATE TABLE call_counts (
    tenant BLOB NOT NULL REFERENCES tenants (id),
    agent BLOB NOT NULL,
    day INTEGER NOT NULL,
    direction TEXT NOT NULL,
    status TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent, day, direction, status)
) STRICT, WITHOUT ROWID;

-- Return calls a day by the agent whose call is returned; source x'' are callers whom nobody had
-- called. Agent x'' stands for every callback agent's. These rows outlive the calls they count.
CREATE TABLE callback_counts (
    tenant BLOB NOT NULL REFERENCES tenants (id),
    agent BLOB NOT NULL,
    day INTEGER NOT NULL,
    source BLOB NOT NULL,
    received INTEGER NOT NULL,
    answered INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent, day, source)
) STRICT, WITHOUT ROWID;

-- Whose call a return call returns, fixed when it is first counted: its touch may go before it.
CREATE TABLE credits (
    call BLOB NOT NULL PRIMARY KEY,
    source BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists are read off these two alone, but for the rows they show.
DROP INDEX calls_by_age;
CREATE INDEX calls_by_age ON calls (tenant, created_at, id, direction, status);
DROP INDEX calls_by_agent;
CREATE INDEX calls_by_agent ON calls (tenant, agent, created_at, id, direction, status);
CREATE INDEX calls_by_dnis ON calls (tenant, dnis, created_at, id);

INSERT INTO call_counts
    SELECT tenant, x'', created_at / 86400000, direction, status, count(*) FROM calls
    GROUP BY 1, 3, 4, 5;
INSERT INTO call_counts
    SELECT tenant, agent, created_at / 86400000, direction, status, count(*) FROM calls
    WHERE agent IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
INSERT INTO credits
    SELECT calls.id, coalesce(touches.agent, zeroblob(16)) FROM calls
    LEFT JOIN touches ON touches.tenant = calls.tenant AND touches.id = calls.touch
    WHERE direction = 'inbound' AND reason = 'callback' AND calls.agent IS NOT NULL;
INSERT INTO callback_counts
    SELECT tenant, agent, created_at / 86400000, coalesce(source, x''), count(*),
        count(answered_at)
    FROM calls LEFT JOIN credits ON call = id
    WHERE direction = 'inbound' AND agent IS NOT NULL AND (source IS NOT NULL OR unmatched)
    GROUP BY 1, 2, 3, 4;
INSERT INTO callback_counts
    SELECT tenant, x'', day, source, sum(received), sum(answered) FROM callback_counts
    GROUP BY 1, 3, 4
