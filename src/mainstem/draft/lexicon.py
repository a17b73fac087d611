"""What words mean. Every rule that looks at a name looks here: tokens, never substrings.

The lists speak of English business words in general; none is a table of one particular schema.
"""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENT = _set(
    """
    order sale payment invoice transaction trans rental booking reservation shipment delivery return
    refund purchase visit encounter appointment admission claim enrollment enrolment registration
    attendance ticket call event click view impression vote review rating comment trip ride flight loan
    deposit withdrawal transfer trade bid checkout subscription donation pledge result inspection
    measurement observation reading procedure prescription charge bill receipt movement adjustment
    production request incident case complaint application interview activity usage consumption stay
    lease quote quota lap stop standing play listen stream download search conversion redemption posting
    expense budget forecast timesheet absence scan dispatch consignment treatment vaccination
    immunization diagnosis post question answer checkin borrowing borrow swipe outage alarm failure
    repair maintenance pageview exam test submission attempt issuance allocation disbursement repayment
    installment instalment remittance settlement replenishment requisition inquiry enquiry feedback
    survey response hire loss gain fine penalty supply journal ledger history entry execution run fill
    quotation session message notification match game race fixture medication
    """
)
"""Things that happen. (`history` counts as one only where the shape says so.)"""

LINE = _set("line item detail row entry position")
"""A part of a document, where something to be a part of exists."""

PARTY = _set(
    """
    customer client person people user member employee emp staff patient student doctor physician
    provider practitioner teacher instructor professor driver passenger guest agent seller vendor
    supplier buyer author actor artist player contact manager rep representative salesperson worker
    nurse subscriber lead donor volunteer tenant owner borrower reader citizen participant candidate
    applicant director editor speaker host landlord chef coach trainer therapist courier dentist lawyer
    officer inspector auditor surgeon consultant operator technician cashier clerk rider traveler
    traveller holder beneficiary insured reviewer
    """
)

PERSON_ROLE = _set(
    """
    employee emp staff agent rep representative salesperson seller person people worker manager host
    coach trainer therapist courier dentist lawyer officer inspector auditor surgeon clerk cashier
    technician operator consultant advisor adviser recruiter teacher instructor doctor physician
    provider nurse
    """
)
"""Who does the work: worth a dimension of its own where a customer or an office refers to one."""

ENTITY = PARTY | _set(
    """
    company organization organisation business store shop warehouse branch office department dept
    product article sku part material item film movie book title track song album playlist account card
    vehicle car aircraft airplane plane airport station hotel room property building facility address
    location city country state region territory nation province district county course subject school
    university college hospital ward clinic pharmacy bank project campaign promotion offer team club
    league season stadium venue circuit constructor currency device sensor machine asset equipment
    shipper carrier publisher brand category model drug medicine procedurecode site terminal counter
    plan package service payer insurer website page channel ship vessel route warehouse supplier
    component recipe dish menu ingredient animal pet crop farm field
    """
)

CLASS = _set(
    """
    type category subcategory status kind class group genre brand family model method mode reason
    priority level segment language currency unit measure tag format tier color colour size line scale
    term condition state classification grade rank code label stage phase source channel medium
    """
)
"""Small classifications: fold into what they classify."""

GEO = _set(
    """
    address city town country state province region county district territory nation zip zipcode
    postcode postal continent location place area geography geolocation street suburb village
    municipality
    """
)

TECHNICAL = _set(
    """
    log migration migrations version setting settings config configuration cache token password
    permission changelog lock queue sysdiagram metadata heartbeat audit trace trail nonce cron backup
    """
)

MEDIA = _set("photo image picture illustration document file attachment thumbnail media logo avatar resume")

CALENDAR = _set("date day calendar")

HISTORY = _set("history hist historical log version archive")

EVENT_PARENT = _set(
    "race flight match game session event trip shift fixture round show screening performance"
)
"""Named things that take place at a time: their date dates the rows below them."""

# --- columns --------------------------------------------------------------------------------------------

KEY_WORDS = _set("id key code no number nbr num uuid guid pk sk fk ref sid oid identifier")
AUDIT_VERBS = _set(
    "created create creation updated update modified modify modification edited edit inserted insert deleted "
    "changed change last loaded load sync synced etl imported added touched archived"
)
AUDIT_TAIL = _set(
    "by at on date time timestamp datetime user ts dt day stamp edited modified updated update changed"
)
CREATED = _set("created create creation inserted added date time timestamp at on datetime ts dt day")
BIRTH = _set("birth dob birthdate birthday born death deceased dod")
VALIDITY = _set(
    "valid effective expiry expiration expires expire expired exp validity discontinued sell until"
)
START = _set("start from begin valid effective since")
END = _set("end to until thru through expiry stop finish expires")
HIRE = _set(
    "hire hired joined join joining signup registered termination installed installation founded established "
    "manufactured manufacture built commissioned since"
)
"""When an entity began: of no use to a fact that has another date."""
DATE_WORDS = _set("date time datetime timestamp day at on dt ts when")
TIME_TAIL = _set("when date time datetime timestamp at on dt ts day")
LATER = _set(
    """
    ship shipped shipping return returned close closed end ended deliver delivered delivery complete
    completed completion resolve resolved resolution pay paid payment cancel cancelled canceled finish
    finished checkout receipt received receive approve approved approval carrier arrival departure
    actual discharge discharged stop confirmed confirmation answered answer settled released fulfilled
    dispatched picking
    """
)
"""Dates that a null says have not yet happened."""

PLANNED = _set("required due commit committed promised expected estimated scheduled planned requested")
"""Dates that say when something was to happen."""

PRICE = _set(
    """
    price msrp rate pct percent percentage ratio each temperature score rating avg average mean margin
    exchange interest speed velocity weight height bmi probability share odds gpa grade
    discount per density latitude longitude humidity pressure lead index factor yield
    """
)
SEMI = _set(
    "balance stock onhand available avail headcount salary population inventory wage outstanding quota limit"
)
QUANTITY = _set("quantity qty units unit count number pieces volume amount ordered sold")
ADDITIVE = _set(
    """
    quantity qty amount amt total subtotal cost sum revenue sales tax fee freight payment price_total
    paid count units hours hrs minutes seconds milliseconds duration distance points credits debit
    credit charge charges value premium payout refund tip fare surcharge gross net profit volume votes
    bytes views clicks impressions likes weight_total due coverage mileage expense allowance bonus
    deposit fine copay claim copayment ytd stock income budget spend received rejected stocked scrapped
    stay days nights wins laps goals runs hits calls penalty gratuity tolls toll shipping advance
    extended
    """
)
UNIT_TAIL = _set("kg g t ton tons tonnes lb lbs oz km mi m2 m3 sqm ha l ml litres liters kwh mwh")
"""A unit at the end of a name: the number before it was weighed or measured."""
LEVEL = _set(
    """
    level stock inventory balance snapshot occupancy holding position census counted occupied
    stored held vacant free remaining pending backlog parked
    """
)
"""What is the case at a time, as against what happened in it: of no use to sum over time."""
NOT_MEASURE = KEY_WORDS | _set(
    """
    seq sequence line position pos ordinal order sort rank version revision year month week day quarter
    flag status type class priority lat lon lng latitude longitude zip postal phone fax extension port
    age bin floor grid level lvl row index active enabled is has hour minute second timestamp ssn pin
    ord pid round iso attempt installments sequential decade
    """
)
ORDINAL = _set("sequence seq sequential ordinal position pos rank version revision index line")
"""Numbers that put rows in order."""
CODES = _set("sku isbn ean upc vin iata icao asin gtin mrn symbol ticker")
"""Identifiers that the world gave a thing: a key without the word."""
MONEY = _set(
    """
    amount amt total subtotal price cost revenue sales tax fee freight payment msrp salary balance
    charge charges premium payout refund tip fare surcharge gross net profit paid due income budget
    spend bonus deposit expense commission discount value extended wage toll tolls penalty fine copay
    debit credit
    """
)
UNIT = _set("currency unit uom")
LABEL = _set("name title label subject caption headline")
PERSON = _set(
    """
    first last middle surname lastname firstname fname lname forename given initial gender sex email
    phone fax salutation courtesy marital dob birth mobile nickname username maiden
    """
)
SECRET = _set("password passwd pwd salt hash secret token apikey pin cvv passhash")
JUNK = _set(
    "rowguid rowversion html xml geometry spatial picture photo image thumbnail logo avatar blob binary"
)
FLAG_HEAD = _set("is has was can allow enable")
STATUS = _set("status state stage phase priority type mode class payterms terms channel method")

GENERAL = _set(
    """
    account active actual additional lo hi range address agreed airline allowed amount area arrival
    available average bank base billing birth bonus buy cancel carrier cart charge check clerk close
    comment comments contact container contents cover credit currency date demand demographic
    demographics department departure depth description destination display due each email end estimated
    excerpt expected extended external family fare final first fiscal flag full gender global gross
    group hire home image info instruction instructions instruct internal item job key last length level
    limit link list long low high local main major manager market max maximum min minimum mobile month
    name national net new next notes number old online opening order origin original page paid parent
    partial pay period person phone photo picture place plan point postal primary priority private
    product public purchase quality quantity range received reference region registered related release
    remark remarks replacement required retail return review role royalty sales schedule scheduled
    season secondary section security seller service ship shipping shop short sick size source special
    standard start state status stock street sub summary supplier tax telephone terms text time title
    total tracking type unit url user vacation value vendor verified version warehouse web week weight
    width work year zip mkt mfgr brand clerk commit receipt mode segment sched pub info lead ytd line
    cat nation nations supply supp part ext
    """
)

ABBREVIATIONS = {
    "acct": "account", "addr": "address", "amt": "amount", "avg": "average", "bal": "balance",
    "cat": "category",
    "cust": "customer", "dept": "department", "desc": "description", "descr": "description",
    "disc": "discount",
    "dt": "date", "emp": "employee", "hist": "history", "inv": "invoice", "loc": "location", "lvl": "level",
    "mgr": "manager", "nbr": "number", "num": "number", "no": "number", "ord": "order", "org": "organization",
    "pct": "percent", "perc": "percent", "prod": "product", "pub": "publisher", "qty": "quantity",
    "rep": "representative", "stor": "store", "sched": "schedule", "subcat": "subcategory",
    "supp": "supplier",
    "tel": "phone", "tot": "total", "trans": "transaction", "txn": "transaction", "trx": "transaction",
    "tx": "transaction", "usr": "user", "whse": "warehouse", "wh": "warehouse", "yr": "year", "mkt": "market",
    "pymt": "payment", "pmt": "payment", "hdr": "header", "dtl": "detail", "dtls": "detail", "ln": "line",
    "curr": "currency", "orig": "origin", "dest": "destination", "appt": "appointment", "stu": "student",
    "univ": "university", "instr": "instructor", "cntry": "country", "qtr": "quarter", "tm": "time",
    "identifier": "id", "attr": "attribute", "hosp": "hospital", "pat": "patient", "doc": "document",
}  # fmt: skip
"""Short forms and what they mean; for understanding a name, and for naming tables."""

PARTICIPLES = {
    "order": "ordered", "ship": "shipped", "shipping": "shipped", "shipment": "shipped", "return": "returned",
    "pay": "paid", "payment": "paid", "invoice": "invoiced", "rental": "rented", "rent": "rented",
    "delivery": "delivered", "deliver": "delivered", "purchase": "purchased", "sale": "sold", "sales": "sold",
    "create": "created", "creation": "created", "book": "booked", "booking": "booked", "close": "closed",
    "open": "opened", "complete": "completed", "completion": "completed", "cancel": "cancelled",
    "approval": "approved", "receipt": "received", "receive": "received", "resolve": "resolved",
    "require": "required", "commit": "committed", "issue": "issued", "enrollment": "enrolled",
    "enrolment": "enrolled", "admission": "admitted", "discharge": "discharged", "visit": "visited",
    "review": "reviewed", "start": "started", "begin": "started", "end": "ended", "finish": "finished",
    "registration": "registered", "reservation": "reserved", "transfer": "transferred", "refund": "refunded",
    "submission": "submitted", "claim": "claimed", "hire": "hired", "change": "changed",
    "post": "posted", "list": "listed", "listing": "listed",
}  # fmt: skip
"""`order_date` is said as `ordered_date`: the noun and its participle."""

UNCOUNTABLE = _set(
    "staff personnel inventory equipment news media data series species feedback history software hardware "
    "merchandise stock attendance usage consumption production maintenance information"
)
IRREGULAR = {"person": "people", "child": "children", "man": "men", "woman": "women", "datum": "data",
             "criterion": "criteria", "analysis": "analyses", "diagnosis": "diagnoses", "index": "indices",
             "foot": "feet", "basis": "bases", "crisis": "crises", "thesis": "theses", "lens": "lenses",
             "bus": "buses", "quiz": "quizzes", "leaf": "leaves", "shelf": "shelves"}  # fmt: skip

VOCABULARY = frozenset().union(
    *(
        EVENT,
        LINE,
        QUANTITY,
        ENTITY,
        CLASS,
        GEO,
        TECHNICAL,
        MEDIA,
        HISTORY,
        EVENT_PARENT,
        KEY_WORDS,
        AUDIT_VERBS,
    ),
    *(
        BIRTH,
        VALIDITY,
        DATE_WORDS,
        LATER,
        PRICE,
        SEMI,
        ADDITIVE,
        NOT_MEASURE,
        MONEY,
        LABEL,
        PERSON,
        SECRET,
        JUNK,
    ),
    *(GENERAL, ABBREVIATIONS, PARTICIPLES),
)

RESERVED = _set(
    """
    all analyse analyze and any array as asc asymmetric both by case cast check collate column
    constraint create cross current_date current_time current_timestamp current_user date day default
    deferrable desc describe distinct do else end except exists false fetch filter for foreign from full
    function grant group having hour in initially inner insert intersect interval into is join lambda
    lateral leading left like limit localtime localtimestamp map minute month natural not null offset on
    only or order outer over overlaps partition percent pivot pivot_longer pivot_wider placing position
    positional primary qualify range references returning right row rows second select semi session_user
    set show similar some start struct summarize symmetric table tablesample then time timestamp to
    trailing true type union unique unnest unpivot update user using values variadic view when where
    window with within year glob anti asof array
    """
)
"""Words that DuckDB or Spark may read as syntax; a name that is one of them is quoted."""
