CREATE TABLE book_alarm (
    community_id BIGINT NOT NULL,
    alarm_id UUID NOT NULL,
    kind TEXT NOT NULL,
    place TEXT NOT NULL,
    detail TEXT NOT NULL,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by UUID,
    CONSTRAINT pk_book_alarm PRIMARY KEY (community_id, alarm_id),
    CONSTRAINT fk_book_alarm_community FOREIGN KEY (community_id) REFERENCES community (community_id),
    CONSTRAINT fk_book_alarm_closed_by FOREIGN KEY (community_id, closed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT ck_book_alarm_closed CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
CREATE UNIQUE INDEX uq_book_alarm_open ON book_alarm (community_id, kind, place) WHERE closed_at IS NULL;

-- What was found is never rewritten: an alarm can only be closed.
GRANT SELECT, INSERT, UPDATE (closed_at, closed_by) ON book_alarm TO linli_app;
GRANT SELECT ON book_alarm TO linli_audit;
