-- Trusted: whoever owns the database may create it. It lets the exclusion constraint compare ids for equality.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE activity (
    community_id BIGINT NOT NULL, 
    activity_id UUID NOT NULL, 
    title TEXT NOT NULL, 
    place TEXT NOT NULL, 
    contact_phone TEXT NOT NULL, 
    service_class TEXT NOT NULL, 
    description TEXT NOT NULL, 
    poster_code TEXT NOT NULL, 
    state TEXT NOT NULL, 
    revision INTEGER NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by UUID NOT NULL, 
    CONSTRAINT pk_activity PRIMARY KEY (community_id, activity_id), 
    CONSTRAINT uq_activity_poster_code UNIQUE (community_id, poster_code), 
    CONSTRAINT ck_activity_state CHECK (state = ANY (ARRAY['draft'::text, 'open'::text, 'cancelled'::text, 'closed'::text])), 
    CONSTRAINT ck_activity_class CHECK (service_class = ANY (ARRAY['general'::text, 'company'::text, 'care'::text, 'skilled'::text, 'patrol'::text, 'training'::text])), 
    CONSTRAINT fk_activity_community FOREIGN KEY(community_id) REFERENCES community (community_id)
);
CREATE INDEX ix_activity_state ON activity (community_id, state, activity_id);

CREATE TABLE activity_leader (
    community_id BIGINT NOT NULL, 
    activity_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    CONSTRAINT pk_activity_leader PRIMARY KEY (community_id, activity_id, member_id), 
    CONSTRAINT fk_activity_leader_activity FOREIGN KEY(community_id, activity_id) REFERENCES activity (community_id, activity_id), 
    CONSTRAINT fk_activity_leader_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_activity_leader_member ON activity_leader (community_id, member_id);

CREATE TABLE shift (
    community_id BIGINT NOT NULL, 
    shift_id UUID NOT NULL, 
    activity_id UUID NOT NULL, 
    code TEXT NOT NULL, 
    opens_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    closes_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    places INTEGER NOT NULL, 
    state TEXT NOT NULL, 
    revision INTEGER NOT NULL, 
    CONSTRAINT pk_shift PRIMARY KEY (community_id, shift_id), 
    CONSTRAINT uq_shift_code UNIQUE (community_id, code), 
    CONSTRAINT ck_shift_state CHECK (state = ANY (ARRAY['open'::text, 'cancelled'::text, 'closed'::text])), 
    CONSTRAINT ck_shift_places CHECK (places >= 1), 
    CONSTRAINT ck_shift_times CHECK (opens_at <= starts_at AND starts_at < ends_at AND ends_at <= closes_at), 
    CONSTRAINT fk_shift_activity FOREIGN KEY(community_id, activity_id) REFERENCES activity (community_id, activity_id)
);
CREATE INDEX ix_shift_activity ON shift (community_id, activity_id, starts_at);
CREATE INDEX ix_shift_due ON shift (closes_at) WHERE state = 'open'::text;
CREATE INDEX ix_shift_starts ON shift (community_id, starts_at, shift_id);

CREATE TABLE sign_up (
    community_id BIGINT NOT NULL, 
    shift_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    state TEXT NOT NULL, 
    turn INTEGER NOT NULL, 
    signed_up_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    signed_up_by UUID NOT NULL, 
    CONSTRAINT pk_sign_up PRIMARY KEY (community_id, shift_id, member_id), 
    CONSTRAINT ck_sign_up_state CHECK (state = ANY (ARRAY['placed'::text, 'waiting'::text, 'cancelled'::text])), 
    CONSTRAINT fk_sign_up_shift FOREIGN KEY(community_id, shift_id) REFERENCES shift (community_id, shift_id), 
    CONSTRAINT fk_sign_up_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_sign_up_member ON sign_up (community_id, member_id);

CREATE TABLE hours_review (
    community_id BIGINT NOT NULL, 
    review_id UUID NOT NULL, 
    verb TEXT NOT NULL, 
    actor_id UUID NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    verdicts JSONB NOT NULL, 
    undone_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_hours_review PRIMARY KEY (community_id, review_id), 
    CONSTRAINT ck_hours_review_verb CHECK (verb = ANY (ARRAY['approve'::text, 'return'::text])), 
    CONSTRAINT fk_hours_review_actor FOREIGN KEY(community_id, actor_id) REFERENCES member (community_id, member_id)
);

CREATE TABLE attendance (
    community_id BIGINT NOT NULL, 
    attendance_id UUID NOT NULL, 
    shift_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    state TEXT NOT NULL, 
    revision INTEGER NOT NULL, 
    served_on DATE NOT NULL, 
    checked_in_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    checked_out_at TIMESTAMP WITH TIME ZONE, 
    how_in TEXT NOT NULL, 
    how_out TEXT, 
    checked_in_by UUID NOT NULL, 
    checked_out_by UUID, 
    awaits_confirmation BOOLEAN NOT NULL, 
    confirmed_by UUID, 
    confirmed_at TIMESTAMP WITH TIME ZONE, 
    planned_minutes INTEGER NOT NULL, 
    minutes INTEGER NOT NULL, 
    done_at TIMESTAMP WITH TIME ZONE, 
    correction_text TEXT, 
    correction_asked_at TIMESTAMP WITH TIME ZONE, 
    review_id UUID, 
    reviewed_by UUID, 
    reviewed_at TIMESTAMP WITH TIME ZONE, 
    return_reason TEXT, 
    credited_minutes INTEGER, 
    points_hundredths BIGINT, 
    record_id UUID, 
    CONSTRAINT pk_attendance PRIMARY KEY (community_id, attendance_id), 
    CONSTRAINT uq_attendance_person UNIQUE (community_id, shift_id, member_id), 
    CONSTRAINT ck_attendance_state CHECK (state = ANY (ARRAY['open'::text, 'done'::text, 'approved'::text, 'returned'::text])), 
    CONSTRAINT ck_attendance_how_in CHECK (how_in = ANY (ARRAY['rotating'::text, 'poster'::text, 'leader'::text])), 
    CONSTRAINT ck_attendance_how_out CHECK (how_out IS NULL OR how_out = ANY (ARRAY['rotating'::text, 'poster'::text, 'leader'::text])), 
    CONSTRAINT ck_attendance_order CHECK (checked_out_at >= checked_in_at), 
    CONSTRAINT ck_attendance_open CHECK (state <> 'open'::text OR checked_out_at IS NULL), 
    CONSTRAINT ck_attendance_minutes CHECK (minutes >= 0 AND minutes <= planned_minutes), 
    CONSTRAINT ck_attendance_approved CHECK ((state = 'approved'::text) = (credited_minutes IS NOT NULL) AND (state <> 'approved'::text OR NOT awaits_confirmation)), 
    CONSTRAINT fk_attendance_shift FOREIGN KEY(community_id, shift_id) REFERENCES shift (community_id, shift_id), 
    CONSTRAINT fk_attendance_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id), 
    CONSTRAINT fk_attendance_review FOREIGN KEY(community_id, review_id) REFERENCES hours_review (community_id, review_id), 
    CONSTRAINT fk_attendance_record FOREIGN KEY(community_id, record_id) REFERENCES service_record (community_id, record_id), 
    CONSTRAINT ex_attendance_overlap EXCLUDE USING gist (community_id WITH =, member_id WITH =, tstzrange(checked_in_at, checked_out_at) WITH &&) WHERE (state <> 'returned'::text AND (state = 'open'::text OR checked_out_at IS NOT NULL))
);
CREATE INDEX ix_attendance_member ON attendance (community_id, member_id, served_on);
CREATE UNIQUE INDEX uq_attendance_one_open ON attendance (community_id, member_id) WHERE state = 'open'::text;
CREATE INDEX ix_attendance_review ON attendance (community_id, review_id);
CREATE INDEX ix_attendance_waiting ON attendance (community_id, state, done_at, attendance_id);
GRANT SELECT, INSERT, UPDATE ON activity, shift, sign_up, attendance TO linli_app;
GRANT SELECT, INSERT, DELETE ON activity_leader TO linli_app;
GRANT SELECT, INSERT, UPDATE (undone_at) ON hours_review TO linli_app;
GRANT SELECT ON activity, activity_leader, shift, sign_up, attendance, hours_review TO linli_audit;
