"""Groups of words of which one member counts as another, or cannot stand for a member of another group."""

from aico.embedding_service.verification.words import groups

DAYS = groups(
    """
    now today tonight current currently latest newest nowadays; tomorrow; yesterday; next upcoming; last previous
    past former
    """
)

CALENDAR = groups(
    """
    january jan; february feb; april apr; june jun; july jul; august aug; september sept sep; october oct; november
    nov; december dec; monday; tuesday; wednesday; thursday; friday; saturday; sunday; winter; summer; autumn;
    daily; weekly; monthly; yearly annual annually; hourly; quarterly
    """
)

UNITS = groups(
    """
    kilometre km kms kilometer kilometers kilometres; mile mi miles; metre meter meters metres; centimetre cm
    centimeter centimeters centimetres; millimetre mm millimeter millimeters millimetres; foot ft feet; inch inches;
    yard yards; kilogram kg kgs kilograms kilo kilos; gram grams; milligram mg milligrams; pound lb lbs; ounce oz
    ounces; tonne ton tons tonnes; litre liter liters litres; millilitre ml milliliter milliliters millilitres;
    gallon gallons; cup cups; celsius centigrade °c; fahrenheit °f; kelvin; second sec secs seconds; minute min mins
    minutes; hour hr hrs hours; day days; week weeks; month months; year years; byte bytes; kilobyte kb kib
    kilobytes; megabyte mb mib megabytes; gigabyte gb gib gigabytes; terabyte tb tib terabytes; milliseconds ms
    millisecond; am a.m.; pm p.m.; percent % pct percentage; usd $ dollar dollars buck bucks; eur € euro euros;
    gbp £ sterling; jpy ¥
    yen; chf franc francs; inr ₹ rupee rupees; cny rmb yuan; cad; aud; btc bitcoin; watt watts; kilowatt kw
    kilowatts; calorie calories kcal; acre acres; hectare hectares; mph; kph kmh
    """
)

DURATIONS = frozenset(
    {"second", "minute", "hour", "day", "week", "month", "year", "foot", "yard", "cup"}
)  # and other words
LANGUAGES = groups(
    """
    english; french français; german deutsch; spanish español castilian; italian; portuguese; dutch; russian; greek;
    chinese mandarin cantonese; japanese; korean; arabic; hebrew; hindi; thai; latin; polish; turkish; ukrainian;
    swedish; norwegian; danish; finnish; czech; hungarian; romanian; bulgarian; vietnamese; indonesian; urdu;
    bengali; tamil; persian farsi; swahili; irish; welsh; catalan
    """
)

FORMS = groups(
    """
    json; csv; tsv; xml; yaml yml; toml; html; markdown; latex; table; bullets bullet bulleted; paragraph
    paragraphs; sentence sentences; essay; poem haiku sonnet limerick; email; tweet; parquet; pdf; formal formally;
    informal informally casual
    """
)

PROGRAMMING = groups(
    """
    python py; java; javascript js; typescript ts; c; csharp c#; cpp c++; fsharp f#; go golang; rust; ruby; php;
    perl; kotlin; swift; scala; haskell; lua; matlab; bash; powershell; sql
    """
)

# Short for each other, or the same in other words.
SAME = groups(
    """
    javascript js; typescript ts; python py; kubernetes k8s kube; database db dbs databases; application app apps
    applications; configuration config configs; repository repo repos; administrator admin admins; information info;
    television tv tvs; photograph photo photos pic pics picture pictures; advertisement ad ads advert; laboratory
    lab labs; document doc docs; postgresql postgres; authentication auth authn; development dev; production prod;
    environment env; telephone phone phones; mathematics math maths; examination exam exams; favourite favorite;
    colour color; centre center; vaccine vax; infrastructure infra; identity id; united_states
    usa; cheap budget affordable inexpensive; adviser advisor; automatic automatically auto; pro pros
    advantage benefit upside; con cons
    disadvantage drawback downside; cancel cancelled canceled cancelling; film movie
    movies films; purchase buy bought buying; fix troubleshoot troubleshooting repair resolve; remove delete; near
    close nearest closest; wifi wi-fi; email e-mail mail; website site sites
    """
)

NATIONS = groups(
    """
    france french; germany german; spain spanish; italy italian; portugal portuguese; netherlands dutch; russia
    russian; greece greek; china chinese; japan japanese; korea korean; india indian; america american; britain
    british; england english; ireland irish; poland polish; turkey turkish; ukraine ukrainian; sweden swedish;
    norway norwegian; denmark danish; finland finnish; brazil brazilian; mexico mexican; canada canadian; australia
    australian; egypt egyptian; switzerland swiss; austria austrian; belgium belgian; israel israeli; iran iranian;
    iraq iraqi; europe european; africa african; asia asian
    """
)

# Opposites that WordNet does not pair, or not in these forms.
_OPPOSED = """
    / /enable/disable encode/decode encrypt/decrypt upload/download import/export mute/unmute ascending/descending
    client/server compress/decompress serialize/deserialize light/dark soft/hard public/private sync/async
    synchronous/asynchronous install/uninstall subscribe/unsubscribe login/logout open/close lock/unlock on/off
    in/out up/down with/without above/below over/under minimum/maximum min/max increase/decrease raise/lower
    buy/sell accept/reject accept/decline accept/refuse approve/reject send/receive lend/borrow start/stop begin/end
    start/end first/last before/after above/under more/less more/fewer most/least safe/dangerous safe/unsafe
    safe/risky good/bad best/worst better/worse pros/cons pro/con advantage/disadvantage benefit/drawback
    benefit/risk benefit/harm strength/weakness allow/forbid allow/ban allow/block allow/prevent include/exclude
    add/remove add/delete create/delete create/destroy push/pull deposit/withdraw deposit/withdrawal
    activate/deactivate gain/lose win/lose earn/spend arrive/depart arrival/departure beginner/expert
    beginner/advanced beginner/professional novice/expert short/long short/detailed brief/detailed cheap/expensive
    budget/luxury cheapest/priciest happy/sad healthy/unhealthy morning/evening morning/night day/night
    indoor/outdoor indoors/outdoors upgrade/downgrade credit/debit input/output read/write attach/detach
    horizontal/vertical left/right north/south east/west male/female man/woman boy/girl husband/wife mother/father
    son/daughter brother/sister uncle/aunt king/queen synonym/antonym singular/plural mount/unmount
    connect/disconnect show/hide expand/collapse zip/unzip freeze/unfreeze block/unblock register/unregister
    pack/unpack wrap/unwrap hot/cold early/late formal/informal optional/required optional/mandatory legal/illegal
    past/future always/never everyone/nobody everything/nothing love/hate lose/find forget/remember pass/fail
    success/failure succeed/fail weak/strong dry/wet full/empty employ/fire hire/fire employer/employee buyer/seller
    parent/child teacher/student doctor/patient landlord/tenant lender/borrower plaintiff/defendant master/slave
    positive/negative true/false yes/no internal/external inner/outer forward/backward clockwise/counterclockwise
    prefix/suffix head/tail commit/rollback stateful/stateless mutable/immutable sharp/flat major/minor
"""
OPPOSITES = frozenset(frozenset(pair.split("/")) for pair in _OPPOSED.split())
