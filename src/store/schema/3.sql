-- What went through a call's media sockets: a JSON array, read and written whole.
ALTER TABLE calls ADD COLUMN media TEXT NOT NULL DEFAULT '[]'
