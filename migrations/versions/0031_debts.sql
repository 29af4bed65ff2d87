CREATE TABLE debt_request (
    community_id BIGINT NOT NULL,
    request_id UUID NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    member_id UUID NOT NULL,
    hundredths BIGINT NOT NULL,
    note TEXT NOT NULL,
    done_hundredths BIGINT,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_debt_request PRIMARY KEY (community_id, request_id),
    CONSTRAINT ck_debt_request_step CHECK (step = ANY (ARRAY['allow'::text, 'write_off'::text])),
    CONSTRAINT ck_debt_request_state CHECK (state = ANY (ARRAY['proposed'::text, 'done'::text, 'withdrawn'::text])),
    CONSTRAINT ck_debt_request_hundredths CHECK (hundredths >= 0 AND (step = 'allow'::text OR hundredths > 0)),
    CONSTRAINT ck_debt_request_decided
        CHECK ((state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_debt_request_two CHECK (state <> 'done'::text OR decided_by <> proposed_by),
    CONSTRAINT fk_debt_request_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_debt_request_proposed_by FOREIGN KEY (community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_debt_request_decided_by FOREIGN KEY (community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_debt_request_waiting ON debt_request (community_id, member_id, step) WHERE state = 'proposed'::text;

GRANT SELECT, INSERT, UPDATE (state, done_hundredths, decided_by, decided_at) ON debt_request TO linli_app;
GRANT SELECT ON debt_request TO linli_audit;
