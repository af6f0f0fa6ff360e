-- Who is given tokens for an account's API, as id and secret.
ALTER TABLE accounts ADD COLUMN api_client TEXT
