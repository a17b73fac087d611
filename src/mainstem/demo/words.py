"""Word lists of the demo's shop: all that its names, places and prices are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    """Customers of one country.

    `postal` is a pattern: 9 stands for a digit, A for a letter; empty, where no codes are in use.
    A city may carry its state after a comma. `firms` are patterns around a family name.
    """

    name: str
    customers: int
    postal: str
    cities: tuple[str, ...]
    families: tuple[str, ...]
    firms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A product line: its goods, the span of list prices in cents, and its year in percent a month."""

    name: str
    description: str
    qualities: tuple[str, ...]
    goods: tuple[str, ...]
    cents: tuple[int, int]
    months: tuple[int, ...]


COUNTRIES = (
    Country(
        "USA",
        86,
        "99999",
        (
            "Boston, MA",
            "Chicago, IL",
            "Denver, CO",
            "Seattle, WA",
            "Austin, TX",
            "New York, NY",
            "San Francisco, CA",
            "Daly City, CA",
            "Brisbane, CA",
        ),
        ("Carter", "O'Neill", "Brooks", "Ramirez", "Whitman", "Nguyen", "Foster", "Abbott", "Lindqvist"),
        ("{} Home Goods", "{} & Sons", "The {} Store", "{} Trading Co.", "{} Living"),
    ),
    Country(
        "Germany",
        46,
        "99999",
        ("Berlin", "Köln", "München", "Hamburg", "Leipzig", "Nürnberg"),
        ("Müller", "Schäfer", "Weiß", "Krüger", "Vogel", "Lorenz"),
        ("{} GmbH", "{} & Söhne", "Haus {}", "{} Wohnen KG"),
    ),
    Country(
        "France",
        38,
        "99999",
        ("Paris", "Lyon", "Nantes", "Saint-Étienne", "Besançon"),
        ("Lefèvre", "Moreau", "Garçon", "Dubois", "Noël"),
        ("Maison {}", "{} et Fils", "Atelier {}", "{} SARL"),
    ),
    Country(
        "United Kingdom",
        34,
        "AA9 9AA",
        ("London", "Leeds", "Bristol", "Glasgow", "Cardiff"),
        ("Ashworth", "Bailey", "Hughes", "MacLeod", "Pryce"),
        ("{} Ltd", "{} & Daughters", "{} Interiors", "Old {} House"),
    ),
    Country(
        "Spain",
        24,
        "99999",
        ("Madrid", "Málaga", "Cádiz", "A Coruña"),
        ("García", "Muñoz", "Ibáñez", "Peña"),
        ("{} Hermanos", "Casa {}", "{} e Hijos S.L."),
    ),
    Country(
        "Italy",
        22,
        "99999",
        ("Milano", "Torino", "Bologna", "Forlì"),
        ("Rossi", "Bianchi", "Nicolò", "Ferri"),
        ("{} S.r.l.", "Casa {}", "Fratelli {}"),
    ),
    Country(
        "Poland",
        16,
        "99-999",
        ("Kraków", "Łódź", "Gdańsk"),
        ("Wójcik", "Żak", "Dąbrowski"),
        ("{} Sp. z o.o.", "Dom {}"),
    ),
    Country(
        "Netherlands",
        16,
        "9999 AA",
        ("Utrecht", "Delft", "Groningen"),
        ("de Vries", "Bakker", "Visser"),
        ("{} B.V.", "Huis {}"),
    ),
    Country(
        "Norway",
        14,
        "9999",
        ("Oslo", "Tromsø", "Ålesund"),
        ("Ødegård", "Håland", "Nygård"),
        ("{} AS", "{} Hjem"),
    ),
    Country(
        "Sweden",
        14,
        "999 99",
        ("Malmö", "Göteborg", "Umeå"),
        ("Öberg", "Åkesson", "Lund"),
        ("{} AB", "{} Hem"),
    ),
    Country(
        "Switzerland",
        14,
        "9999",
        ("Zürich", "Genève", "Bern"),
        ("Bühler", "Favre", "Frei"),
        ("{} AG", "Maison {}"),
    ),
    Country(
        "Japan",
        14,
        "999-9999",
        ("東京", "大阪", "Kyōto"),
        ("佐藤", "山本", "Itō"),
        ("株式会社{}", "{}商店"),
    ),
    Country(
        "Australia",
        14,
        "9999",
        ("Perth, WA", "Hobart, TAS", "Sydney, NSW"),
        ("Walsh", "Kelly", "Doyle"),
        ("{} Pty Ltd", "{} Outfitters"),
    ),
    Country("Austria", 12, "9999", ("Wien", "Graz"), ("Huber", "Gröbl", "Moser"), ("{} GmbH", "{} OG")),
    Country(
        "Brazil",
        12,
        "99999-999",
        ("São Paulo, SP", "Brasília, DF"),
        ("Gonçalves", "Araújo", "Conceição"),
        ("{} Ltda.", "Casa {}"),
    ),
    Country("Denmark", 10, "9999", ("Aarhus", "Rønne"), ("Kjær", "Sørensen", "Juhl"), ("{} ApS", "{} Bolig")),
    Country(
        "Ireland", 8, "A99 AA99", ("Dublin", "Galway"), ("Ní Bhriain", "Ó Sé", "Byrne"), ("{} Ltd", "{} Home")
    ),
    Country("Hong Kong", 6, "", ("Kowloon", "Central"), ("Chan", "Lau", "Wong"), ("{} Trading", "{} Living")),
)

LINES = (
    Line(
        "Kitchen",
        "Pots, boards and cups for every day",
        ("Cast-iron", "Copper", "Beech", "Enamel", "Stoneware"),
        ("saucepan", "carving board", "crème brûlée dish", "teapot", "mortar", "bread bin", "colander"),
        (690, 8900),
        (90, 85, 90, 95, 95, 90, 85, 85, 95, 100, 130, 150),
    ),
    Line(
        "Lighting",
        "Lamps for reading, eating and waiting",
        ("Brass", "Linen", "Opal", "Rattan"),
        ("desk lamp", "floor lamp", "pendant", "wall light", "night light", "lantern"),
        (1900, 24900),
        (115, 105, 95, 85, 75, 70, 70, 80, 100, 120, 145, 140),
    ),
    Line(
        "Garden",
        "From the first seed to the last evening outside",
        ("Oak", "Zinc", "Terracotta", "Willow", "Steel"),
        ("planter", "watering can", "bench", "trellis", "bird table", "fire bowl", "trug"),
        (890, 32900),
        (35, 50, 110, 190, 215, 180, 140, 105, 80, 50, 30, 25),
    ),
    Line(
        "Textiles",
        "Wool, linen and cotton",
        ("Merino", "Washed linen", "Waffle", "Jacquard"),
        ("throw", "cushion", "table runner", "bath towel", "curtain", "apron"),
        (1290, 15900),
        (105, 95, 90, 85, 80, 75, 75, 85, 105, 120, 135, 140),
    ),
    Line(
        "Furniture",
        "Made to be handed on",
        ("Ash", "Walnut", "Bentwood", "Lacquered"),
        ("stool", "side table", "bookcase", "armchair", "coat stand", "writing desk"),
        (8900, 129900),
        (110, 95, 95, 95, 95, 90, 90, 95, 105, 110, 125, 90),
    ),
    Line(
        "Travel",
        "Bags that age well",
        ("Canvas", "Waxed", "Leather", "Recycled"),
        ("weekender", "rucksack", "wash bag", "passport cover", "flask", "picnic basket"),
        (1490, 27900),
        (70, 75, 90, 110, 130, 160, 165, 120, 85, 75, 90, 110),
    ),
    Line(
        "Stationery",
        "Paper, and what belongs on it",
        ("Dotted", "Marbled", "Pocket", "Cloth-bound"),
        ("notebook", "letter set", "fountain pen", "diary", "pencil case", "ink, bleu nuit"),
        (290, 6900),
        (120, 85, 80, 80, 80, 75, 75, 125, 135, 95, 115, 135),
    ),
    Line(
        "Toys",
        "Wood, wheels and patience",
        ("Wooden", "Magnetic", "Felt", "Painted"),
        ("building blocks", "railway", "marble run", "doll's house", "puzzle", "spinning top"),
        (790, 14900),
        (60, 65, 80, 85, 80, 80, 75, 75, 85, 105, 190, 230),
    ),
)

# One code of this list stands for three cities, as happens with real ones.
SHARED_POSTAL_CODE = "94110"
SHARING_CITIES = ("San Francisco", "Daly City", "Brisbane")

MAKERS = ("Hallgren Works", "Petit Atelier", "Norden & Co", "Mesa Studio", "Baltic Craft", "Lumière Frères")
GIVEN_NAMES = ("Anna", "Björn", "Chloé", "Dmitri", "Elif", "Fátima", "Gil", "Hana", "Ivo", "João", "Kari")
COMMENTS = (
    "Leave it with the neighbour",
    "Gift: no invoice in the box, please",
    "Rang twice, nobody in",
    'Customer writes: "as soon as it\'s in stock"',
    "Merci de livrer après 18 h",
    "Please ring 🔔\nthen wait",
    "",
)

# office code, city, country, territory, postal code
OFFICES = (
    ("1", "Boston", "USA", "Americas", "02107"),
    ("2", "Austin", "USA", "Americas", "78701"),
    ("3", "Paris", "France", "Europe", "75017"),
    ("4", "Berlin", "Germany", "Europe", "10115"),
    ("5", "Oslo", "Norway", "Nordics", "0150"),
    ("6", "東京", "Japan", "Asia-Pacific", "102-8578"),
)
# The office that looks after a country; all others belong to Paris.
TERRITORY_OFFICE = {
    "USA": "1",
    "Brazil": "2",
    "Germany": "4",
    "Austria": "4",
    "Switzerland": "4",
    "Poland": "4",
    "Norway": "5",
    "Sweden": "5",
    "Denmark": "5",
    "Japan": "6",
    "Australia": "6",
    "Hong Kong": "6",
}
DEFAULT_OFFICE = "3"
STAFF_NAMES = ("Abel", "Bergman", "Costa", "Dufour", "Eze", "Fischer", "Grønn", "Hirano", "Ibsen", "Jansen")
