-- A second factor for the office: what it is made of, which session gave a code, what may be given once instead, and how it is taken away.

CREATE TABLE second_factor (
    community_id bigint NOT NULL,
    factor_id uuid NOT NULL,
    member_id uuid NOT NULL,
    secret_sealed bytea,
    started_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    ended_at timestamptz,
    ended_by uuid,
    last_step bigint NOT NULL,
    wrong_codes smallint NOT NULL,
    next_try_at timestamptz,
    CONSTRAINT pk_second_factor PRIMARY KEY (community_id, factor_id),
    CONSTRAINT fk_second_factor_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_second_factor_ended_by FOREIGN KEY (community_id, ended_by) REFERENCES member (community_id, member_id),
    CONSTRAINT ck_second_factor_ended CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (secret_sealed IS NOT NULL)),
    CONSTRAINT ck_second_factor_last_step CHECK (last_step >= 0),
    CONSTRAINT ck_second_factor_wrong_codes CHECK (wrong_codes BETWEEN 0 AND 100)
);
CREATE UNIQUE INDEX uq_second_factor_held ON second_factor (community_id, member_id) WHERE ended_at IS NULL;

CREATE TABLE recovery_code (
    community_id bigint NOT NULL,
    factor_id uuid NOT NULL,
    number smallint NOT NULL,
    code_hash text NOT NULL,
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT pk_recovery_code PRIMARY KEY (community_id, factor_id, number),
    CONSTRAINT fk_recovery_code_factor FOREIGN KEY (community_id, factor_id) REFERENCES second_factor (community_id, factor_id),
    CONSTRAINT ck_recovery_code_number CHECK (number BETWEEN 0 AND 9)
);

CREATE TABLE session_proof (
    community_id bigint NOT NULL,
    session_id uuid NOT NULL,
    factor_id uuid NOT NULL,
    proven_at timestamptz NOT NULL,
    wrong_codes smallint NOT NULL,
    next_try_at timestamptz,
    CONSTRAINT pk_session_proof PRIMARY KEY (community_id, session_id),
    CONSTRAINT fk_session_proof_session FOREIGN KEY (community_id, session_id) REFERENCES session (community_id, session_id),
    CONSTRAINT fk_session_proof_factor FOREIGN KEY (community_id, factor_id) REFERENCES second_factor (community_id, factor_id),
    CONSTRAINT ck_session_proof_wrong_codes CHECK (wrong_codes BETWEEN 0 AND 100)
);

CREATE TABLE factor_removal (
    community_id bigint NOT NULL,
    removal_id uuid NOT NULL,
    factor_id uuid NOT NULL,
    member_id uuid NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    CONSTRAINT pk_factor_removal PRIMARY KEY (community_id, removal_id),
    CONSTRAINT fk_factor_removal_factor FOREIGN KEY (community_id, factor_id) REFERENCES second_factor (community_id, factor_id),
    CONSTRAINT fk_factor_removal_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_factor_removal_proposed_by FOREIGN KEY (community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_factor_removal_decided_by FOREIGN KEY (community_id, decided_by) REFERENCES member (community_id, member_id),
    CONSTRAINT ck_factor_removal_reason CHECK (reason = ANY (ARRAY['lost'::text, 'broken'::text, 'replaced'::text])),
    CONSTRAINT ck_factor_removal_state CHECK (state = ANY (ARRAY['proposed'::text, 'agreed'::text, 'refused'::text])),
    CONSTRAINT ck_factor_removal_decided CHECK ((state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_factor_removal_others CHECK (proposed_by <> member_id AND (state <> 'agreed'::text OR decided_by <> proposed_by AND decided_by <> member_id))
);
CREATE UNIQUE INDEX uq_factor_removal_waiting ON factor_removal (community_id, factor_id) WHERE state = 'proposed'::text;

ALTER TABLE session ADD COLUMN network_index bytea;

-- Off, and a working day once it is on: nobody is locked out by the upgrade.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c CROSS JOIN (VALUES ('second_factor_required', 0), ('second_factor_hours', 12)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

GRANT SELECT, INSERT ON second_factor, recovery_code, session_proof, factor_removal TO linli_app;
GRANT UPDATE (secret_sealed, started_at, confirmed_at, ended_at, ended_by, last_step, wrong_codes, next_try_at) ON second_factor TO linli_app;
GRANT UPDATE (code_hash, made_at, used_at) ON recovery_code TO linli_app;
GRANT UPDATE (factor_id, proven_at, wrong_codes, next_try_at) ON session_proof TO linli_app;
GRANT UPDATE (state, decided_by, decided_at) ON factor_removal TO linli_app;
GRANT SELECT (community_id, factor_id, member_id, started_at, confirmed_at, ended_at, ended_by) ON second_factor TO linli_audit;
GRANT SELECT ON factor_removal TO linli_audit;
