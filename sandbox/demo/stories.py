"""The words that the demo's documents are made of."""

from __future__ import annotations

FIRST_NAMES = (
    "Amara", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jonas", "Keiko",
    "Lucía", "Mateo", "Noor", "Oskar", "Priya", "Quentin", "Rosa", "Sven", "Tomasz", "Uma", "Viktor", "Yara",
)  # fmt: skip
PRODUCTS = (
    "Alba desk lamp", "Boreal down jacket", "Cumulus kettle", "Delta trail shoes", "Ember space heater",
    "Fjord rain coat", "Gala espresso machine", "Helix water bottle", "Indigo headphones",
    "Juno baby monitor", "Kite folding bike", "Lumen reading light",
)  # fmt: skip
CITIES = (
    "Aarhus",
    "Bilbao",
    "Coimbra",
    "Dresden",
    "Esbjerg",
    "Ferrara",
    "Ghent",
    "Haarlem",
    "Innsbruck",
    "Jena",
)
COMPLAINTS = (
    ("Parcel never came", "was meant to arrive on {day} but the tracking has not moved since {city}"),
    ("Charged twice", "was paid once, yet my bank shows two charges for it, both on {day}"),
    ("Arrived broken", "came with a crack along the side, and the box from {city} was wet on one corner"),
    ("Where is my refund", "went back from {city} on {day}, and I have heard nothing about the money"),
    ("Cannot sign in", "is in an order that I cannot open, since every password link from {day} has expired"),
    ("Wrong size delivered", "is two sizes too small although I picked the right one on {day}"),
    ("How do I clean it", "got coffee on it in {city}, and the leaflet says nothing about washing"),
    ("Thank you", "came a day early, on {day}, and the courier in {city} was very kind"),
)
CLOSINGS = (
    "Could you please look into it?",
    "I need it before the weekend.",
    "This is the second time I am writing.",
    "No hurry, I only want to understand what happened.",
    "If nobody answers I will ask my bank to take the payment back.",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
PRAISE = (
    "It feels solid",
    "Setting it up took five minutes",
    "The colour is lovely",
    "It does what it promises",
)
BLAME = (
    "the seam came apart after a week",
    "the app loses its connection",
    "it is louder than I hoped",
    "the manual is a joke",
)
REVIEW_ENDS = (
    "I would buy it again.",
    "I sent it back.",
    "For this price it is fine.",
    "My neighbour wants one too.",
)
TOPICS = (
    ("tram line", "council", "a new tram line to the harbour", "residents fear years of building sites"),
    ("river baths", "health office", "the reopening of the river baths", "swimmers had waited nine summers"),
    (
        "night market",
        "traders",
        "a night market on the old square",
        "shopkeepers ask for longer opening hours",
    ),
    ("wind park", "energy company", "twelve turbines off the coast", "fishers want the cables buried deeper"),
    (
        "city archive",
        "university",
        "the digitising of the city archive",
        "two million pages will be readable online",
    ),
    (
        "school kitchens",
        "school board",
        "fresh cooking in all schools",
        "the first month cost less than was feared",
    ),
)
SENTENCES = (
    "The decision followed a debate of four hours in which every party spoke.",
    "A spokesperson said that the plans had been changed twice after letters from the public.",
    "Work is to begin in spring and will take about eighteen months.",
    "The costs are put at {cost} million euros, of which the region pays a third.",
    "Critics called the figures too hopeful and asked for a second opinion.",
    "{name} from {city}, who lives next door, welcomed the news but wants quiet on Sundays.",
    "Similar plans in {city} were dropped two years ago because no contractor was found.",
    "A survey in the autumn found a narrow majority in favour.",
)
