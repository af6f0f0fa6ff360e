-- Requests to give numbers back as operators list them: everybody's.
CREATE INDEX releases_in_order ON releases (created_at, id);
CREATE INDEX releases_by_status ON releases (status, created_at, id)
