"""What stands on paper."""

import redemption
from redemption import CodeKeys, OfflineClass
from service.vouchers.queries.catalogue import VoucherCard


def paper_code(keys: CodeKeys, community_id: int, voucher: redemption.Voucher | VoucherCard) -> str:
    """The code that a paper gets: signed for what a shop may take without a network, and good online only otherwise."""
    if voucher.offline_class is not OfflineClass.ROAMING:
        return redemption.printed_code(
            keys, community_id=community_id, voucher_id=voucher.voucher_id, code_seq=voucher.code_seq
        )
    return redemption.signed_code(
        keys,
        community_id=community_id,
        voucher_id=voucher.voucher_id,
        code_seq=voucher.code_seq,
        offer_id=voucher.offer_id,
        expires_at=voucher.expires_at,
        quantity=voucher.quantity_open,
    )
