CREATE TABLE household_class (
    community_id BIGINT NOT NULL,
    class_id UUID NOT NULL,
    household_id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    kind_index BYTEA NOT NULL,
    is_consented BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    effective_from DATE,
    effective_until DATE,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_household_class PRIMARY KEY (community_id, class_id),
    CONSTRAINT ck_household_class_state CHECK (state = ANY (ARRAY['proposed'::text, 'agreed'::text, 'refused'::text])),
    CONSTRAINT ck_household_class_decided CHECK ((state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_household_class_two CHECK (state <> 'agreed'::text OR decided_by <> proposed_by),
    CONSTRAINT ck_household_class_effective_from CHECK ((state = 'agreed'::text) = (effective_from IS NOT NULL)),
    CONSTRAINT ck_household_class_effective_until CHECK (effective_until > effective_from),
    CONSTRAINT ck_household_class_ended CHECK ((effective_until IS NULL) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CONSTRAINT fk_household_class_household FOREIGN KEY(community_id, household_id) REFERENCES household (community_id, household_id),
    CONSTRAINT fk_household_class_proposed_by FOREIGN KEY(community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_household_class_decided_by FOREIGN KEY(community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_household_class_waiting ON household_class (community_id, proposed_at) WHERE state = 'proposed'::text;
CREATE UNIQUE INDEX uq_household_class_held ON household_class (community_id, household_id, kind_index) WHERE state <> 'refused'::text AND effective_until IS NULL;

CREATE TABLE entitlement (
    community_id BIGINT NOT NULL,
    entitlement_id UUID NOT NULL,
    kind TEXT NOT NULL,
    organisation_id UUID,
    percent INTEGER,
    word TEXT,
    effective_from DATE NOT NULL,
    effective_until DATE,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_by UUID,
    CONSTRAINT pk_entitlement PRIMARY KEY (community_id, entitlement_id),
    CONSTRAINT ck_entitlement_kind CHECK (kind = ANY (ARRAY['lonely'::text, 'empty_nest'::text, 'poor'::text, 'disabled'::text, 'martyr'::text])),
    CONSTRAINT ck_entitlement_what CHECK ((percent IS NULL) = (organisation_id IS NULL) AND (percent IS NULL) <> (word IS NULL)),
    CONSTRAINT ck_entitlement_percent CHECK (percent >= 1 AND percent <= 100),
    CONSTRAINT ck_entitlement_word CHECK (word ~ '^[a-z0-9-]{2,24}$'::text),
    CONSTRAINT ck_entitlement_effective_until CHECK (effective_until > effective_from),
    CONSTRAINT fk_entitlement_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id),
    CONSTRAINT fk_entitlement_set_by FOREIGN KEY(community_id, set_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_entitlement_ended_by FOREIGN KEY(community_id, ended_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_entitlement_open ON entitlement (community_id, effective_from);

GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at, effective_from, effective_until, ended_by, ended_at) ON household_class TO linli_app;
GRANT SELECT, INSERT, UPDATE (effective_until, ended_by) ON entitlement TO linli_app;
GRANT SELECT ON household_class, entitlement TO linli_audit;
