CREATE TABLE member (
    community_id BIGINT NOT NULL, 
    member_id UUID NOT NULL, 
    card_no TEXT NOT NULL, 
    name_sealed BYTEA NOT NULL, 
    name_index BYTEA[] NOT NULL, 
    phone_sealed BYTEA, 
    phone_index BYTEA, 
    born_sealed BYTEA, 
    household_id UUID, 
    login_id UUID, 
    import_id UUID, 
    revision INTEGER NOT NULL, 
    enrolled_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    closed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_member PRIMARY KEY (community_id, member_id), 
    CONSTRAINT uq_member_card_no UNIQUE (community_id, card_no), 
    CONSTRAINT ck_member_revision CHECK (revision >= 1), 
    CONSTRAINT fk_member_community FOREIGN KEY(community_id) REFERENCES community (community_id), 
    CONSTRAINT fk_member_household FOREIGN KEY(community_id, household_id) REFERENCES household (community_id, household_id)
);
CREATE INDEX ix_member_card_anywhere ON member (card_no);
CREATE INDEX ix_member_login ON member (login_id);
CREATE INDEX ix_member_name_index ON member USING gin (name_index);
CREATE INDEX ix_member_phone_index ON member (community_id, phone_index);

CREATE TABLE member_role (
    community_id BIGINT NOT NULL, 
    role_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    role TEXT NOT NULL, 
    organisation_id UUID, 
    from_on DATE NOT NULL, 
    until_on DATE, 
    granted_by UUID, 
    granted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_by UUID, 
    CONSTRAINT pk_member_role PRIMARY KEY (community_id, role_id), 
    CONSTRAINT ck_member_role_role CHECK (role = ANY (ARRAY['resident'::text, 'volunteer'::text, 'steward'::text, 'grid_worker'::text, 'staff'::text, 'approver'::text, 'finance'::text, 'merchant_owner'::text, 'clerk'::text, 'repairer'::text, 'leader'::text, 'auditor'::text, 'admin'::text])), 
    CONSTRAINT ck_member_role_range CHECK (until_on IS NULL OR until_on >= from_on), 
    CONSTRAINT fk_member_role_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id), 
    CONSTRAINT fk_member_role_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id)
);
CREATE INDEX ix_member_role_member ON member_role (community_id, member_id);
CREATE INDEX ix_member_role_role ON member_role (community_id, role);

CREATE TABLE login (
    login_id UUID NOT NULL, 
    phone_index BYTEA NOT NULL, 
    CONSTRAINT pk_login PRIMARY KEY (login_id), 
    CONSTRAINT uq_login_phone_index UNIQUE (phone_index)
);

CREATE TABLE member_secret (
    community_id BIGINT NOT NULL, 
    member_id UUID NOT NULL, 
    secret_hash TEXT NOT NULL, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_member_secret PRIMARY KEY (community_id, member_id), 
    CONSTRAINT fk_member_secret_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);

CREATE TABLE activation (
    community_id BIGINT NOT NULL, 
    code_hash BYTEA NOT NULL, 
    member_id UUID NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    used_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_activation PRIMARY KEY (community_id, code_hash), 
    CONSTRAINT fk_activation_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_activation_member ON activation (community_id, member_id);

CREATE TABLE session (
    community_id BIGINT NOT NULL, 
    session_id UUID NOT NULL, 
    token_hash BYTEA NOT NULL, 
    member_id UUID NOT NULL, 
    device TEXT NOT NULL, 
    is_shared BOOLEAN NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    ended_by UUID, 
    CONSTRAINT pk_session PRIMARY KEY (community_id, session_id), 
    CONSTRAINT uq_session_token_hash UNIQUE (community_id, token_hash), 
    CONSTRAINT fk_session_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_session_member ON session (community_id, member_id);

CREATE TABLE sign_in_try (
    subject BYTEA NOT NULL, 
    window_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    tries INTEGER NOT NULL, 
    CONSTRAINT pk_sign_in_try PRIMARY KEY (subject, window_at)
);

GRANT SELECT, INSERT, UPDATE ON member, member_secret, activation, session TO linli_app;
GRANT SELECT, INSERT, UPDATE (until_on, ended_by) ON member_role TO linli_app;
GRANT SELECT, INSERT ON login TO linli_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_try TO linli_app;
-- An auditor sees who holds which role, never a sealed name or a secret.
GRANT SELECT ON member_role TO linli_audit;
GRANT SELECT (community_id, member_id, card_no, household_id, revision, enrolled_at, closed_at) ON member TO linli_audit;
