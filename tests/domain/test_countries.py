"""The facts are the default, the provider's word counts, and nothing else is touched by it."""

from hypothesis import given
from hypothesis import strategies as some

from offhook.domain.countries import Country, CountryFacts, CountryWord, Service, country_of

FRANCE = CountryFacts("FR", frozenset(Service))
ICELAND = CountryFacts("IS")
words = some.builds(
    CountryWord,
    some.just("FR"),
    some.none() | some.booleans(),
    some.dictionaries(some.sampled_from(Service), some.booleans()),
)


def test_without_a_word_the_facts_count() -> None:
    assert country_of(FRANCE, None) == Country(FRANCE, CountryWord("FR"), served=True, services=frozenset(Service))
    assert country_of(ICELAND, None) == Country(ICELAND, CountryWord("IS"), served=False, services=frozenset())


def test_a_country_that_is_left_keeps_its_services_for_those_who_are_there() -> None:
    left = country_of(FRANCE, CountryWord("FR", served=False))
    assert not left.served and left.services == frozenset(Service)


@given(words, some.sampled_from([FRANCE, ICELAND]))
def test_the_providers_word_outweighs_the_facts_in_what_it_says_and_in_nothing_else(word: CountryWord, facts: CountryFacts) -> None:
    country = country_of(facts, word)
    for service in Service:
        said, possible = word.services.get(service), service in facts.services
        assert (service in country.services) == (possible if said is None else said)
    assert country.served == (word.served if word.served is not None else facts is FRANCE)
