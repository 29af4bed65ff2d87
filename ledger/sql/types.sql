-- What a caller may put into one journal. A step is one transfer:
--   post     debit, credit, unit, amount
--   hold     debit, unit, amount, hold_id, expires_at or null     moves the amount to the escrow account
--   capture  hold_id, credit, amount                              moves a part of the hold to anybody
--   release  hold_id, amount or null for all that is left         moves it back to where it came from
CREATE TYPE ledger.step AS (
    kind text,
    debit text,
    credit text,
    unit text,
    amount bigint,
    hold_id uuid,
    expires_at timestamptz
);

-- code is 'posted', 'replayed' or the code of a refusal (ledger/rules.py); detail holds the refusal's fields.
CREATE TYPE ledger.verdict AS (
    code text,
    journal_id bigint,
    detail jsonb
);
