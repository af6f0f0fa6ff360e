-- What other carriers than Twilio know an account by.
ALTER TABLE accounts ADD COLUMN application_id TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN private_key TEXT;
ALTER TABLE accounts ADD COLUMN byte_order TEXT NOT NULL DEFAULT 'little';
