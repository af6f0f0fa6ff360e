-- What keeps lists from walking rows that they do not show: indexes by what is filtered, and counts
-- of agents for the totals of their pages.

CREATE INDEX calls_by_status ON calls (tenant, direction, status, created_at, id);

-- Lists show deliveries to endpoints alone.
CREATE INDEX deliveries_by_status ON deliveries (tenant, status, created_at, id, webhook)
    WHERE is_agents = 0;

DROP INDEX agents_by_age;
CREATE INDEX agents_by_age ON agents (tenant, created_at, id, direction, state);

CREATE INDEX agents_without_target ON agents (tenant, direction, state) WHERE targets = '[]';

DROP INDEX numbers_by_age;
CREATE INDEX numbers_by_age ON numbers (tenant, created_at, id, e164);

-- Agents that somebody named. Triggers keep them, whichever statement changes an agent.
CREATE TABLE agent_counts (
    tenant BLOB NOT NULL,
    direction TEXT NOT NULL,
    state TEXT NOT NULL,
    agents INTEGER NOT NULL,
    PRIMARY KEY (tenant, direction, state)
) STRICT, WITHOUT ROWID;
INSERT INTO agent_counts
    SELECT tenant, direction, state, count(*) FROM agents
    WHERE id NOT IN (SELECT agent FROM implicit_agents) GROUP BY 1, 2, 3;

CREATE TRIGGER agent_added AFTER INSERT ON agents
BEGIN
    INSERT INTO agent_counts VALUES (NEW.tenant, NEW.direction, NEW.state, 1)
    ON CONFLICT DO UPDATE SET agents = agents + 1;
END;
CREATE TRIGGER agent_removed AFTER DELETE ON agents
WHEN NOT EXISTS (SELECT 1 FROM implicit_agents WHERE agent = OLD.id)
BEGIN
    UPDATE agent_counts SET agents = agents - 1
    WHERE tenant = OLD.tenant AND direction = OLD.direction AND state = OLD.state;
END;
CREATE TRIGGER agent_changed AFTER UPDATE OF direction, state ON agents
WHEN (OLD.direction, OLD.state) <> (NEW.direction, NEW.state)
    AND NOT EXISTS (SELECT 1 FROM implicit_agents WHERE agent = NEW.id)
BEGIN
    UPDATE agent_counts SET agents = agents - 1
    WHERE tenant = OLD.tenant AND direction = OLD.direction AND state = OLD.state;
    INSERT INTO agent_counts VALUES (NEW.tenant, NEW.direction, NEW.state, 1)
    ON CONFLICT DO UPDATE SET agents = agents + 1;
END;
CREATE TRIGGER agent_is_implicit AFTER INSERT ON implicit_agents
BEGIN
    UPDATE agent_counts SET agents = agents - 1
    WHERE (tenant, direction, state) =
        (SELECT tenant, direction, state FROM agents WHERE id = NEW.agent);
END;
CREATE TRIGGER agent_is_not_implicit AFTER DELETE ON implicit_agents
BEGIN
    UPDATE agent_counts SET agents = agents + 1
    WHERE (tenant, direction, state) =
        (SELECT tenant, direction, state FROM agents WHERE id = OLD.agent);
END
