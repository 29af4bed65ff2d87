-- The cards of members without a phone: who they are, and how many wrong PINs they were shown with.

CREATE TABLE member_card (
    community_id bigint NOT NULL,
    member_id uuid NOT NULL,
    handle bigint NOT NULL,
    card_seq integer NOT NULL,
    tries smallint NOT NULL,
    printed_by uuid NOT NULL,
    printed_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT pk_member_card PRIMARY KEY (community_id, member_id),
    CONSTRAINT uq_member_card_handle UNIQUE (community_id, handle),
    CONSTRAINT fk_member_card_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT ck_member_card_handle CHECK (handle > 0),
    CONSTRAINT ck_member_card_seq CHECK (card_seq BETWEEN 1 AND 65535),
    CONSTRAINT ck_member_card_tries CHECK (tries BETWEEN 0 AND 5)
);

GRANT SELECT ON member_card TO linli_app, linli_audit;
GRANT INSERT ON member_card TO linli_app;
GRANT UPDATE (card_seq, tries, printed_by, printed_at, withdrawn_at) ON member_card TO linli_app;
