-- What is said to a machine that records, where its agent has a text for that.
ALTER TABLE dials ADD COLUMN voicemail_message TEXT
