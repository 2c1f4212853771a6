"""The products that a new system has: drafts, for the provider to price and sell; in the sandbox on sale, at prices that are made up."""

from collections.abc import Iterator
from dataclasses import replace

from offhook.domain.catalogue import Product, ProductKind, ProductState, Texts
from offhook.domain.countries import Service
from offhook.domain.money import parse_money
from offhook.domain.prices import Period
from offhook.services.country_facts import currency_named
from offhook.services.ports.catalogue import NewPrice
from offhook.services.ports.changes import ChangesWanted
from offhook.services.ports.store import ProviderTransaction
from offhook.services.prices import now_exactly

_SYSTEM = "phone-system"

FIRST_PRODUCTS = (
    Product(
        _SYSTEM,
        ProductKind.LICENCE,
        Texts("Phone System", "Système téléphonique"),
        Texts(
            "For a person: calls inside the organization, attendants, queues, voicemail. What a calling plan needs.",
            "Pour une personne : appels internes, standards automatiques, files d’attente, messagerie. Requis par les forfaits d’appels.",
        ),
        service=Service.PHONE_SYSTEM,
    ),
    Product(
        "phone-system-virtual-user",
        ProductKind.LICENCE,
        Texts("Phone System Virtual User", "Système téléphonique, utilisateur virtuel"),
        Texts(
            "For an attendant or a queue that has a number of its own.",
            "Pour un standard automatique ou une file d’attente qui a son propre numéro.",
        ),
        needs=_SYSTEM,
        service=Service.PHONE_SYSTEM,
    ),
    Product(
        "calling-plan-domestic",
        ProductKind.CALLING_PLAN,
        Texts("Calling Plan, domestic", "Forfait d’appels nationaux"),
        Texts(
            "A person's number, and as many domestic minutes a month as the country gives.",
            "Un numéro pour une personne, et les minutes nationales que le pays prévoit par mois.",
        ),
        needs=_SYSTEM,
        service=Service.CALLING_PLANS,
    ),
    Product(
        "calling-plan-domestic-120",
        ProductKind.CALLING_PLAN,
        Texts("Calling Plan, domestic, 120 minutes", "Forfait d’appels nationaux, 120 minutes"),
        Texts("A person's number, and 120 domestic minutes a month.", "Un numéro pour une personne, et 120 minutes nationales par mois."),
        needs=_SYSTEM,
        service=Service.CALLING_PLANS,
    ),
    Product(
        "calling-plan-domestic-240",
        ProductKind.CALLING_PLAN,
        Texts("Calling Plan, domestic, 240 minutes", "Forfait d’appels nationaux, 240 minutes"),
        Texts("A person's number, and 240 domestic minutes a month.", "Un numéro pour une personne, et 240 minutes nationales par mois."),
        needs=_SYSTEM,
        service=Service.CALLING_PLANS,
    ),
    Product(
        "calling-plan-international",
        ProductKind.CALLING_PLAN,
        Texts("Calling Plan, domestic and international", "Forfait d’appels nationaux et internationaux"),
        Texts(
            "A person's number, and domestic or international minutes a month, whichever are used up first.",
            "Un numéro pour une personne, et des minutes nationales ou internationales par mois, selon ce qui s’épuise d’abord.",
        ),
        needs=_SYSTEM,
        service=Service.CALLING_PLANS,
    ),
    Product(
        "audio-conferencing",
        ProductKind.LICENCE,
        Texts("Audio Conferencing", "Audioconférence"),
        Texts(
            "For who organizes conferences that telephones come into; who takes part needs nothing.",
            "Pour qui organise des conférences accessibles par téléphone ; les participants n’ont besoin de rien.",
        ),
        service=Service.AUDIO_CONFERENCING,
    ),
    Product(
        "audio-conferencing-per-minute",
        ProductKind.LICENCE,
        Texts("Audio Conferencing, by the minute", "Audioconférence à la minute"),
        Texts(
            "The same, of which every minute in and out is paid by Communications Credits.",
            "La même, dont chaque minute entrante et sortante est payée en crédits de communication.",
        ),
        service=Service.AUDIO_CONFERENCING,
    ),
    Product(
        "communications-credits",
        ProductKind.CREDITS,
        Texts("Communications Credits", "Crédits de communication"),
        Texts(
            "Paid beforehand, for toll-free numbers, calls beyond a plan, and calls out of conferences.",
            "Payés d’avance, pour les numéros gratuits, les appels au-delà d’un forfait et les appels sortants des conférences.",
        ),
        service=Service.CREDITS,
    ),
)
_MADE_UP = {
    _SYSTEM: "8", "phone-system-virtual-user": "0", "calling-plan-domestic": "12", "calling-plan-domestic-120": "6",
    "calling-plan-domestic-240": "8", "calling-plan-international": "24", "audio-conferencing": "4", "audio-conferencing-per-minute": "0",
    "communications-credits": "1",
}  # fmt: skip
"""What each costs a month in the sandbox, in any of its currencies; of the credits one once. Nobody's prices: round numbers to look at."""
_MADE_UP_MINUTE = "0.0125"
_MADE_UP_CURRENCIES = ("CAD", "EUR", "GBP", "USD")


def furnish(provider: ProviderTransaction, *, sandbox: bool) -> None:
    """The first products and the sandbox's prices, each once in a system's life; without the sandbox its prices are taken away."""
    if not sandbox:
        provider.prices.remove_made_up()
    if not _was_there(provider, "product"):
        for product in FIRST_PRODUCTS:
            provider.products.add(replace(product, state=ProductState.ON_SALE) if sandbox else product)
    if sandbox and not _was_there(provider, "price"):
        for price in _made_up(provider, now_exactly()):
            provider.prices.add(price)


def _was_there(provider: ProviderTransaction, kind: str) -> bool:
    """Whether there ever was one of a kind: what the provider has removed does not come back."""
    return bool(provider.history.page(1, ChangesWanted(kind=kind)))


def _made_up(provider: ProviderTransaction, moment: float) -> Iterator[NewPrice]:
    there = provider.products.all()
    for sku, amount in _MADE_UP.items():
        for code in _MADE_UP_CURRENCIES if sku in there else ():
            currency = currency_named(code)
            period = Period.ONCE if there[sku].kind is ProductKind.CREDITS else Period.MONTH
            yield NewPrice(sku, None, code, period, parse_money(amount, currency).micros, moment, made_up=True)
            if sku == "audio-conferencing-per-minute":
                minute = parse_money(_MADE_UP_MINUTE, currency, finer=True)
                yield NewPrice(sku, None, code, Period.MINUTE, minute.micros, moment, made_up=True)
