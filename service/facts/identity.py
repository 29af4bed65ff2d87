"""What can happen to somebody's ways in."""

from uuid import UUID

from service.kit.outbox import Fact


class SecondFactorSet(Fact, frozen=True, kw_only=True):
    """An authenticator was enrolled for somebody of the office."""

    member_id: UUID


class SecondFactorEnded(Fact, frozen=True, kw_only=True):
    """It was ended, by its owner or at the desk."""

    member_id: UUID


class FactorRemovalProposed(Fact, frozen=True, kw_only=True):
    """Somebody asked for it to be taken away at the desk."""

    member_id: UUID


class CodesGuessed(Fact, frozen=True, kw_only=True):
    """Several wrong codes in a row: somebody else may know the PIN."""

    member_id: UUID
