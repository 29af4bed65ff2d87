"""Which class of service a wish usually is. Staff choose at approval; this is what they are offered first."""

from collections.abc import Mapping

from service.records import ServiceClass
from service.wishes.kinds import WishCategory

CLASS_OF: Mapping[WishCategory, ServiceClass] = {
    WishCategory.COMPANY: ServiceClass.COMPANY,
    WishCategory.CARE: ServiceClass.CARE,
    WishCategory.REPAIRS: ServiceClass.SKILLED,
    WishCategory.DIGITAL: ServiceClass.SKILLED,
    WishCategory.LESSONS: ServiceClass.SKILLED,
}
"""What staff are offered first, and what holds where nobody chose; everything else is general service."""

CLASSES = tuple(item for item in ServiceClass if item is not ServiceClass.TRAINING)
"""Training is kept apart from service, so a wish can never be training."""


def class_of(category: WishCategory) -> ServiceClass:
    """The service class a category usually is."""
    return CLASS_OF.get(category, ServiceClass.GENERAL)
