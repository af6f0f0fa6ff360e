-- What an agent's runtime speaks; none is PCMU.
ALTER TABLE agents ADD COLUMN runtime_media TEXT;
