"""What an answer depends on beside the words of its question: the time at which it is asked, and who asks.

Patterns alone, in English and the most usual words of German, French, Spanish and Portuguese. They are read as a person
reads a question at a glance: a word too many in them costs a hit, one too few an answer that is out of date or somebody
else's.
"""

import re
from collections.abc import Iterable

from aico.core.chat import ChatRequest, Role

_READ = 2000  # characters at each end of a text that is longer than both: questions stand at the beginning or the end


def bound_to_time(request: ChatRequest, year: int) -> bool:
    """Whether its answer is soon out of date. `year` is the present one. Linear in what the user said."""
    return any(_moves(text, year) for text in _said(request))


def turn_bound_to_time(text: str, year: int) -> bool:
    """Likewise of a last turn alone. The answer to one that is not may be old: it does not do for one that is."""
    return _moves(_read(text), year)


def personal(request: ChatRequest) -> bool:
    """Whether the user asks for something that is his alone: an order, a balance, an appointment."""
    return any(_PERSONAL.search(text) is not None and _HOW_TO.search(text) is None for text in _said(request))


def _said(request: ChatRequest) -> Iterable[str]:
    """What the user asked, earlier turns too: `and tomorrow?` says less than what it follows."""
    for message in request.messages:
        if message.role is Role.USER:
            yield _read(message.text)


def _read(text: str) -> str:
    ends = text if len(text) <= 2 * _READ else f"{text[:_READ]}\n{text[-_READ:]}"
    return ends.lower().replace("\u2019", "'")


def _moves(text: str, year: int) -> bool:
    if _PRESENT.search(text) is not None:
        return True
    if _TOPICS.search(text) is None or _IN_GENERAL.search(text) is not None:
        return False
    return not any(int(named) < year for named in _YEAR.findall(text))


def _any(*patterns: str) -> re.Pattern[str]:
    """Of lower-case text, between the borders of words."""
    return re.compile(rf"\b(?:{'|'.join(patterns)})")


_YEAR = re.compile(r"\b(1\d{3}|20\d{2})\b", re.ASCII)

_CHANGING = (
    r"(?:price|rate|exchange|time|date|day|year|month|week|weather|temperature|forecast|version|release|status|"
    r"state of|situation|event|affairs|news|president|chancellor|prime minister|government|king|queen|pope|ceo|cto|"
    r"champion|holder|record|leader|population|inflation|unemployment|interest|mortgage|score|standing|ranking|trend|fashion|"
    r"market|stock|value|valuation|salary|season|offer|deal|promotion|discount|opening|hours|menu|line-?up|roster|"
    r"squad|minimum wage|tax|law|regulation)"
)

# The present is named, whatever the question is about.
_PRESENT = _any(
    r"to-?day\b(?!'s? (?:and|or) age)|tonight\b|tomorrow\b|yesterday\b|nowadays\b|currently\b|these days\b",
    r"(?:right|just|as of|until|by) now\b|now[\s?!.]*$|at (?:the|this) moment\b|at present\b|as we speak\b",
    r"(?:this|last|next|past|coming) (?:morning|afternoon|evening|night|week(?:end)?|month|quarter|season)\b",
    r"(?:this|last|next) (?:year|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    r"(?:latest|newest|most recent|up[- ]to[- ]date)\b",
    rf"current (?:\w+ ){{0,2}}?{_CHANGING}",
    r"what(?:'s| is) the (?:time|date)\b|what (?:time|day|year) is it\b|so far this\b",
    # German, French, Spanish, Portuguese
    r"heute\b|gestern\b|jetzt\b|derzeit\b|momentan\b|aktuell(?:e[nrsm]?)?\b|neueste[nrsm]?\b|wie sp[äa]t\b",
    r"diese(?:r|n|s)? (?:woche|monat|jahr|wochenende)\b",
    r"aujourd'hui\b|maintenant\b|actuelle(?:ment|s)?\b|actuels?\b|en ce moment\b|cette (?:semaine|ann[ée]e)\b",
    r"ce (?:mois|week-end|soir)\b|quelle heure\b|derni[èe]res (?:nouvelles|actualit[ée]s)\b",
    r"hoy\b|ahora\b|ayer\b|mañana\b|actualmente\b|(?:est[ae]|este) (?:semana|mes|año|mês|ano)\b|qu[ée] hora\b",
    r"hoje\b|agora\b|ontem\b|amanhã\b|atual(?:mente)?\b|que horas\b|[úu]ltimas not[íi]cias\b",
)

_MONEY = r"(?:usd|eur|gbp|jpy|chf|cny|inr|cad|aud|btc|eth|dollars?|euros?|pounds? sterling|yen|rupees?|yuan|bitcoins?)"
_PRICED = (
    r"(?:share|stock|gold|silver|oil|gas|petrol|diesel|fuel|bitcoin|crypto|ether(?:eum)?|electricity|house|housing|ticket|"
    r"flight|hotel|market|spot)"
)

# What is different tomorrow, unless the question is about the thing in general or about a year that is over.
_TOPICS = _any(
    r"(?:what|how)(?:'s| is| will be) the weather\b|weather (?:in|for|at|near|like|forecast|report)\b",
    r"forecast (?:for|in)\b|(?:will|does) it (?:rain|snow)\b|is it (?:raining|snowing|sunny|cloudy)\b",
    r"how (?:hot|cold|warm) is it\b",
    rf"{_PRICED} prices?\b|prices? of \w|what (?:is|are|'s) the (?:\w+ ){{0,3}}(?:prices?|cost|fare|fee)s?\b",
    r"how much (?:does|do|would|will)\b[^.?!]{0,80}\bcosts?\b|how expensive\b|in stock\b",
    r"(?:exchange|interest|mortgage|inflation|conversion|unemployment) rates?\b",
    rf"{_MONEY} (?:to|in|into|against) {_MONEY}\b",
    r"(?:the|any|breaking|world|local|sports?|market) news\b|news (?:about|on|from|of|in)\b|headlines\b",
    r"scores? (?:of|in) (?:the )?[^.?!]{0,40}(?:game|match|final)\b|who (?:is winning|is leading|won) (?:the )?"
    r"[^.?!]{0,40}(?:game|match|race|election|cup|league|final)\b|league table\b|standings\b|fixtures\b",
    r"opening (?:hours|times)\b|business hours\b|(?:when|what time|until when)\b[^.?!]{0,60}\b(?:opens?|closes?)\b",
    r"(?:flight|train|traffic|delivery|system|service) (?:status|delays?|jams?)\b",
    r"next (?:train|bus|flight|tram|ferry|game|match|election|holiday)\b",
    # German, French, Spanish, Portuguese
    r"wetter (?:in|am|im|wird)\b|wie (?:wird|ist) das wetter\b|wechselkurs|öffnungszeiten\b|aktienkurs|benzinpreis",
    r"m[ée]t[ée]o\b|quel temps fait\b|taux de change\b|horaires? d'ouverture\b|cours de l'?\s?\w",
    r"qu[ée] tiempo hace\b|tipo de cambio\b|horarios? de (?:apertura|atenci[óo]n|funcionamento)\b|cotizaci[óo]n\b",
    r"previs[ãa]o do tempo\b|taxa de c[âa]mbio\b|cota[çc][ãa]o\b",
)

_IN_GENERAL = _any(
    r"(?:theory|theories|theorem|model|elasticity|discrimination|equilibrium|formula|mechanism|definition|concept)s?\b",
    r"(?:explain|define|describe|translate|summari[sz]e|rewrite|essay|poem|story|regex|function|python|sql|css|html)\b",
    r"(?:what does\b.{0,60}\bmean|what (?:is|are) (?:a|an) |difference between|history of|pros and cons)\b",
    r"how (?:do|does|is|are|did)\b[^.?!]{0,60}\b(?:works?|form(?:ed)?|calculated|determined|computed|set|affects?)\b",
)

_THINGS = (
    r"(?:orders?|parcels?|packages?|deliver(?:y|ies)|shipments?|refunds?|returns?|invoices?|bills?|balance|accounts?|"
    r"appointments?|reservations?|bookings?|subscriptions?|memberships?|tickets?|claims?|payments?|payslips?|salary|"
    r"contract|application|flights?|prescriptions?|test results?|lab results?|medical records?|schedule|calendar|"
    r"statement|points|warranty|policy number|tracking number|loan|mortgage|credit (?:score|limit)|voucher|plan)"
)

_PERSONAL = _any(
    r"(?:my|our) (?:(?!(?:about|of|on|for|in|with|to|from|and|or|the|an?)\b)\w+ ){0,2}?"
    rf"{_THINGS}\b(?! (?:of operations|by clause))",
    r"(?:what(?:'s| is| was)|tell me|do you know) my (?:full |last |first )?"
    r"(?:name|age|birthday|address|e-?mail|phone(?: number)?|id|username|customer number)\b",
    r"who am i\b|how much (?:do|did) i (?:owe|spend|pay)\b|what did i (?:order|buy|pay)\b|do i (?:still )?owe\b",
    r"mein(?:e[mnrs]?)? (?:\w+ )?(?:bestellung(?:en)?|paket|lieferung|sendung|rechnung(?:en)?|konto|kontostand|"
    r"termine?|buchung|abo|abonnement|vertrag|r[üu]ckerstattung|guthaben|antrag|ticket|flug)\b",
    r"m(?:on|a|es) (?:\w+ )?(?:commandes?|colis|livraison|factures?|compte|solde|rendez-vous|r[ée]servations?|"
    r"abonnement|remboursement|dossier|vol|billet)\b",
    r"mis? (?:\w+ )?(?:pedidos?|paquete|env[íi]o|facturas?|cuenta|saldo|citas?|reservas?|suscripci[óo]n|"
    r"reembolso|vuelo)\b",
    r"m(?:eus?|inhas?) (?:\w+ )?(?:pedidos?|encomendas?|pacote|faturas?|conta|saldo|consultas?|reservas?|assinatura|"
    r"reembolso|voo)\b",
)

# Asked for the way to do something, which is the same for everybody.
_HOW_TO = re.compile(
    r"^\W*(?:(?:hi|hello|hey|please|ok|hallo|bonjour|hola|ol[áa])\W+)*(?:"
    r"how (?:do|can|could|should|would|might|to)\b|what(?:'s| is) the (?:best |right )?way to\b|"
    r"what are the steps\b|is (?:it possible|there a way) to\b|where (?:do|can|could|should) i\b|"
    r"wie (?:kann|k[öo]nnen|muss|soll|l[äa]sst)\b|wo (?:kann|finde)\b|comment (?:puis|peut|faire|je)\b|"
    r"c[óo]mo (?:puedo|se|hago|cancelo|cambio)\b|como (?:posso|fa[çc]o|se|cancelar|alterar)\b)"
)
