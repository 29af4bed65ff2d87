-- The service may read everything and write by these functions alone; the auditor may read.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT USAGE ON SCHEMA redemption TO linli_app, linli_audit;
GRANT SELECT ON ALL TABLES IN SCHEMA redemption TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    redemption.draft_offer, redemption.publish_offer, redemption.withdraw_offer, redemption.issue_voucher,
    redemption.redeem, redemption.voucher_by_code, redemption.reverse_use, redemption.register_device, redemption.revoke_device,
    redemption.cancel_voucher, redemption.expire_due, redemption.freeze_voucher, redemption.unfreeze_voucher, redemption.void_voucher,
    redemption.renew_code, redemption.close_settlement, redemption.confirm_settlement, redemption.approve_settlement,
    redemption.give_voucher, redemption.propose_step, redemption.decide_step, redemption.pay_settlement, redemption.return_payment,
    redemption.note_invoice, redemption.withdraw_invoice, redemption.choose_rhythm, redemption.propose_payee, redemption.decide_payee,
    redemption.dispute_line, redemption.resolve_dispute, redemption.confirm_voucher, redemption.take_lock, redemption.release_lock,
    redemption.release_locks_due, redemption.redeem_locked, redemption.propose_change, redemption.answer_change,
    redemption.watch_uses, redemption.flag_unread, redemption.raise_alarm, redemption.decide_alarms, redemption.set_opening, redemption.make_ticket,
    redemption.enrol_device, redemption.take_lease, redemption.leased_vouchers, redemption.return_lease, redemption.break_lease,
    redemption.end_cancelling, redemption.sync_records, redemption.propose_review, redemption.decide_review,
    redemption.make_bank_file, redemption.void_bank_file, redemption.propose_departure, redemption.decide_departure,
    redemption.carry_departure, redemption.departure_open, redemption.finish_departure, redemption.propose_adjustment,
    redemption.decide_adjustment, redemption.book_bank_lines, redemption.tell_floor
    TO linli_app;
GRANT EXECUTE ON FUNCTION redemption.settlement_hash, redemption.micros, redemption.moved TO linli_app, linli_audit;
