"""What the pages say, in each language they speak."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from babel import negotiate_locale

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "home_title": "Offhook runs here",
        "home_text": "This is an Offhook phone system, version {version}. Telephones register at {sip_address}.",
        "home_cli": "See calls and users with the command line: {command}.",
        "home_api": "Programs use the API; what it offers stands here:",
        "home_health": "How the system fares",
        "home_welcome": "To create or administer an organization, open the one-time link that you were given, "
        "or that was printed at the first start.",
        "api_title": "The API of Offhook",
        "api_text": "Send a token in the header {header}. Refusals come as problem details (RFC 9457) with a stable code. "
        "The same list for programs:",
        "api_docs": "Every request and answer, to read and to try",
        "health_title": "How the system fares",
        "health_ok": "Everything works.",
        "health_limited": "Calls can be made, but something is wrong.",
        "health_failing": "New calls cannot be made now.",
        "health_seen": "Seen at {at} UTC; this page looks again every 10 seconds.",
        "health_more": "What is wrong, and what to do, on the machine itself: {doctor}. For monitors:",
        "health_part": "Part",
        "health_state": "State",
        "state_ok": "works",
        "state_failing": "does not work",
        "part_processes": "Processes of the system",
        "part_switch": "Calls (switch)",
        "part_kamailio": "Telephones (Kamailio)",
        "part_rtpengine": "Sound (rtpengine)",
        "part_database": "Database",
        "part_disk": "Room on the disk",
        "part_carrier": "The sandbox’s public network",
        "welcome_title": "Create your organization",
        "welcome_text": "This link works once. Afterwards you get a token for the command line and the API.",
        "name": "Name of the organization",
        "name_hint": "As people should read it, for example Maple Workshop.",
        "domain": "Domain",
        "domain_hint": "What stands behind the @ in your users' telephone addresses, for example phones.example.com.",
        "country": "Country",
        "country_hint": "Decides how numbers are dialled and which ones are emergency numbers.",
        "country_choose": "Choose a country",
        "time_zone": "Time zone",
        "time_zone_hint": "Of people who have none of their own; it can be changed later.",
        "create": "Create",
        "join_title": "Administer {name}",
        "join_text": "This link works once. It makes you a global administrator of {name} ({domain}), who may do everything there.",
        "username": "Username",
        "username_hint": "Lower-case letters, digits, dots and hyphens, without spaces. You sign in with it and @{domain} behind it.",
        "username_known": "You are called so here. You sign in with it and @{domain} behind it.",
        "person": "Your name",
        "person_hint": "As people should read it, for example Maria Lopez.",
        "password": "Password",
        "password_hint": "10 to 200 characters; a few words with spaces between them are good.",
        "password_known": "It replaces the one you may have. 10 to 200 characters; a few words with spaces between them are good.",
        "again": "Password again",
        "again_hint": "The same once more, so that a slip of the finger does not lock you out.",
        "join": "Sign in",
        "joined_title": "Welcome, {name}",
        "joined_text": "You are a global administrator of {organization}, signed in as {username}@{domain} until {until} UTC. "
        "This is the token of your session. It is shown now and never again; keep it like a password.",
        "gone_title": "This link leads nowhere",
        "later_title": "Not at this moment",
        "wrong": "This cannot be done yet:",
        "created_title": "{name} is created",
        "token_text": "This is your API token. It is shown now and never again; keep it like a password.",
        "next_title": "What to do next",
        "next_try": "On a machine with Offhook, set where the system is and who you are:",
        "next_user": "Add a person; the password of their telephone is shown once:",
        "next_phone": "In the telephone set this username and password, domain {domain}, outbound proxy {sip_address} (UDP or TCP).",
        "next_sign_in": "When the session is over, sign in again with your password:",
        "next_selftest": "See whether everything works:",
        "not_in_effect": "The part that makes calls does not answer now; your organization counts as soon as it is up again.",
        "value.invalid name": "Give a name of 1 to 100 printable characters.",
        "value.invalid domain": "This is no domain name with at least one dot, such as phones.example.com.",
        "value.invalid country": "Choose a country from the list.",
        "country.not_served country": "No organizations are taken in in this country; choose one from the list.",
        "value.invalid time_zone": "Choose a time zone from the list.",
        "value.invalid username": "A username has 1 to 64 lower-case letters, digits, dots, hyphens and underscores; "
        "first and last a letter or digit.",
        "value.invalid password": "A password has 10 to 200 characters and is not the username.",
        "value.invalid again": "The two passwords are not the same; type them again.",
        "thing.taken username": "Somebody is called so already; choose another username.",
        "thing.taken domain": "This domain is taken; choose another one.",
        "thing.missing token": "This link was used already, has expired or never was. Ask for a new one.",
        "system.unavailable None": "The system cannot do this at the moment. Your link stays good; try again in a minute.",
    }
)


def _kept_together(words: dict[str, str]) -> Mapping[str, str]:
    """French as it is printed: what has a space before or after it stands with its word on one line."""
    return MappingProxyType({name: re.sub(" (?=[;:!?»])|(?<=«) ", "\N{NO-BREAK SPACE}", text) for name, text in words.items()})


FRENCH: Mapping[str, str] = _kept_together(
    {
        "home_title": "Offhook fonctionne ici",
        "home_text": "Voici un système téléphonique Offhook, version {version}. Les téléphones s’enregistrent à l’adresse {sip_address}.",
        "home_cli": "Consultez les appels et les utilisateurs en ligne de commande : {command}.",
        "home_api": "Les programmes utilisent l’API ; voici ce qu’elle offre :",
        "home_health": "L’état du système",
        "home_welcome": "Pour créer ou administrer une organisation, ouvrez le lien à usage unique que vous avez reçu, "
        "ou qui a été affiché au premier démarrage.",
        "api_title": "L’API d’Offhook",
        "api_text": "Envoyez un jeton dans l’en-tête {header}. Les refus sont des « problem details » (RFC 9457) avec un code stable. "
        "La même liste pour les programmes :",
        "api_docs": "Chaque demande et chaque réponse, à lire et à essayer",
        "health_title": "L’état du système",
        "health_ok": "Tout fonctionne.",
        "health_limited": "Les appels passent, mais quelque chose ne va pas.",
        "health_failing": "Aucun nouvel appel ne peut être établi pour l’instant.",
        "health_seen": "État à {at} UTC ; cette page est actualisée toutes les 10 secondes.",
        "health_more": "Ce qui ne va pas, et que faire, sur la machine elle-même : {doctor}. Pour la surveillance :",
        "health_part": "Élément",
        "health_state": "État",
        "state_ok": "fonctionne",
        "state_failing": "ne fonctionne pas",
        "part_processes": "Processus du système",
        "part_switch": "Appels (switch)",
        "part_kamailio": "Téléphones (Kamailio)",
        "part_rtpengine": "Son (rtpengine)",
        "part_database": "Base de données",
        "part_disk": "Place sur le disque",
        "part_carrier": "Le réseau public du bac à sable",
        "welcome_title": "Créez votre organisation",
        "welcome_text": "Ce lien ne sert qu’une fois. Vous recevrez ensuite un jeton pour la ligne de commande et l’API.",
        "name": "Nom de l’organisation",
        "name_hint": "Tel qu’il sera lu, par exemple Atelier Érable.",
        "domain": "Domaine",
        "domain_hint": "Ce qui suit @ dans les adresses téléphoniques de vos utilisateurs, par exemple phones.example.com.",
        "country": "Pays",
        "country_hint": "Détermine la façon de composer les numéros et les numéros d’urgence.",
        "country_choose": "Choisissez un pays",
        "time_zone": "Fuseau horaire",
        "time_zone_hint": "Celui des personnes qui n’en ont pas d’autre ; il pourra être changé plus tard.",
        "create": "Créer",
        "join_title": "Administrer {name}",
        "join_text": "Ce lien ne sert qu’une fois. Il fait de vous un administrateur général de {name} ({domain}), qui peut tout y faire.",
        "username": "Nom d’utilisateur",
        "username_hint": "Lettres minuscules, chiffres, points et traits d’union, sans espace. "
        "Vous vous connecterez avec ce nom suivi de @{domain}.",
        "username_known": "Vous vous appelez ainsi ici. Vous vous connecterez avec ce nom suivi de @{domain}.",
        "person": "Votre nom",
        "person_hint": "Tel qu’il sera lu, par exemple Maria Lopez.",
        "password": "Mot de passe",
        "password_hint": "10 à 200 caractères ; quelques mots séparés par des espaces conviennent bien.",
        "password_known": "Il remplace celui que vous avez peut-être. 10 à 200 caractères ; quelques mots séparés par des espaces "
        "conviennent bien.",
        "again": "Mot de passe, encore une fois",
        "again_hint": "Le même, pour qu’une faute de frappe ne vous enferme pas dehors.",
        "join": "Se connecter",
        "joined_title": "Bienvenue, {name}",
        "joined_text": "Vous administrez {organization}, et êtes connecté comme {username}@{domain} jusqu’au {until} UTC. "
        "Voici le jeton de votre session. Il est affiché maintenant et plus jamais ; gardez-le comme un mot de passe.",
        "gone_title": "Ce lien ne mène nulle part",
        "later_title": "Pas en ce moment",
        "wrong": "Ce n’est pas encore possible :",
        "created_title": "{name} est créée",
        "token_text": "Voici votre jeton d’API. Il est affiché maintenant et plus jamais ; gardez-le comme un mot de passe.",
        "next_title": "Et maintenant",
        "next_try": "Sur une machine où se trouve Offhook, indiquez l’adresse du système et votre jeton :",
        "next_user": "Ajoutez une personne ; le mot de passe de son téléphone est affiché une seule fois :",
        "next_phone": "Dans le téléphone, indiquez ce nom d’utilisateur et ce mot de passe, le domaine {domain} "
        "et le serveur mandataire sortant (outbound proxy) {sip_address} (UDP ou TCP).",
        "next_sign_in": "Quand la session sera terminée, reconnectez-vous avec votre mot de passe :",
        "next_selftest": "Vérifiez que tout fonctionne :",
        "not_in_effect": "La partie qui établit les appels ne répond pas ; votre organisation comptera dès son retour.",
        "value.invalid name": "Donnez un nom de 1 à 100 caractères imprimables.",
        "value.invalid domain": "Ce n’est pas un nom de domaine avec au moins un point, comme phones.example.com.",
        "value.invalid country": "Choisissez un pays dans la liste.",
        "country.not_served country": "Aucune organisation n’est acceptée dans ce pays ; choisissez-en un dans la liste.",
        "value.invalid time_zone": "Choisissez un fuseau horaire dans la liste.",
        "value.invalid username": "Un nom d’utilisateur a 1 à 64 lettres minuscules, chiffres, points, traits d’union et tirets bas ; "
        "il commence et finit par une lettre ou un chiffre.",
        "value.invalid password": "Un mot de passe a 10 à 200 caractères et n’est pas le nom d’utilisateur.",
        "value.invalid again": "Les deux mots de passe ne sont pas les mêmes ; tapez-les de nouveau.",
        "thing.taken username": "Quelqu’un s’appelle déjà ainsi ; choisissez un autre nom d’utilisateur.",
        "thing.taken domain": "Ce domaine est déjà pris ; choisissez-en un autre.",
        "thing.missing token": "Ce lien a déjà servi, a expiré ou n’a jamais existé. Demandez-en un nouveau.",
        "system.unavailable None": "Le système ne peut pas le faire en ce moment. Votre lien reste valable ; réessayez dans une minute.",
    }
)

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType({"en": ENGLISH, "fr": FRENCH})


def language_of(accept_language: str) -> str:
    """The language of WORDS that an Accept-Language header (RFC 9110 12.5.4) likes best; English if it likes none."""
    wishes = []
    for place, wish in enumerate(accept_language[:1000].split(",")):
        tag, _, weight = wish.partition(";")
        weighed = _weight(weight)
        if tag.strip() and weighed > 0:
            wishes.append((-weighed, place, tag.strip()))
    return negotiate_locale([tag for _, _, tag in sorted(wishes)], list(WORDS), sep="-") or "en"


def _weight(text: str) -> float:
    try:
        return float(text.strip().removeprefix("q=")) if text.strip() else 1.0
    except ValueError:
        return 0.0
