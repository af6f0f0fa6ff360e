-- Erased persons, and what retention needs.

ALTER TABLE agents ADD COLUMN min_attestation TEXT;
ALTER TABLE agents ADD COLUMN context_min_attestation TEXT;

CREATE INDEX accounts_by_tenant ON accounts (tenant, name);
CREATE INDEX numbers_by_account ON numbers (account)
