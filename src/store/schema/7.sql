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
    GROUP BY 1, 3, 4;

-- Requests to give numbers back: people decide on them, nothing is released here.
CREATE TABLE releases (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    number BLOB NOT NULL,
    e164 INTEGER NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    resolved_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX releases_by_age ON releases (tenant, created_at, id);
CREATE INDEX releases_by_number ON releases (number, status);

-- SIP trunks as they are described. Their passwords are not kept: nobody here registers anywhere.
CREATE TABLE trunks (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    provider_name TEXT NOT NULL,
    domain TEXT NOT NULL,
    username TEXT NOT NULL,
    port INTEGER NOT NULL,
    transport TEXT NOT NULL,
    outbound_proxy TEXT,
    auth_realm TEXT,
    is_active INTEGER NOT NULL,
    is_verified INTEGER NOT NULL,
    checked_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX trunks_by_age ON trunks (tenant, created_at, id);

CREATE TABLE dids (
    number BLOB NOT NULL PRIMARY KEY REFERENCES numbers (id),
    trunk BLOB NOT NULL REFERENCES trunks (id),
    country_code TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dids_by_trunk ON dids (trunk, number);

-- Campaigns as they are described, with counts of what became of their calls.
CREATE TABLE campaigns (
    id BLOB NOT NULL PRIMARY KEY,
    tenant BLOB NOT NULL REFERENCES tenants (id),
    agent BLOB NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    description TEXT NOT NULL,
    fields TEXT NOT NULL,
    calls INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    lasted_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX campaigns_by_age ON campaigns (tenant, created_at, id);

CREATE TABLE campaign_calls (
    call BLOB NOT NULL PRIMARY KEY REFERENCES calls (id),
    campaign BLOB NOT NULL REFERENCES campaigns (id),
    contact INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_calls_by_campaign ON campaign_calls (campaign, call);
CREATE INDEX campaign_calls_by_contact ON campaign_calls (campaign, contact, call)
